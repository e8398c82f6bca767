//! Whose signature under a certificate counts: the system's authorities, or those that a setting names.
//!
//! Separate from [`super::connect`], which checks certificates: a setting that names authorities and cannot be read must be
//! told. The libraries below pass over one in silence.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::failure::Failure;
use crate::printable::printable;
use crate::world::World;

/// Longest file that is read.
const MOST: u64 = 16 << 20;

/// Authorities, and what named them.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    /// In place of the system's.
    instead: Option<Vec<Certificate<'static>>>,
    /// Beside those.
    more: Vec<Certificate<'static>>,
    /// The system's, where they are read already.
    systems: Option<Vec<Certificate<'static>>>,
    /// Variables and settings, each with its path.
    sources: Vec<(&'static str, PathBuf)>,
}

impl Authorities {
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` take the place of the system's, `NODE_EXTRA_CA_CERTS` adds to them.
    ///
    /// # Errors
    /// What one of them names cannot be read, or holds no certificate.
    pub(super) fn of_environment(world: &World) -> Result<Authorities, Failure> {
        let mut found = Authorities::default();
        if let Some(file) = world.variable_path("SSL_CERT_FILE") {
            let certificates = read_file("SSL_CERT_FILE", &file)?;
            found.instead.get_or_insert_default().extend(certificates);
            found.sources.push(("SSL_CERT_FILE", file));
        }
        let directories = world.variable_path_list("SSL_CERT_DIR");
        if !directories.is_empty() {
            let certificates = read_directories("SSL_CERT_DIR", &directories)?;
            found.instead.get_or_insert_default().extend(certificates);
            let named = directories
                .into_iter()
                .map(|directory| ("SSL_CERT_DIR", directory));
            found.sources.extend(named);
        }
        if let Some(file) = world.variable_path("NODE_EXTRA_CA_CERTS") {
            found.add_file("NODE_EXTRA_CA_CERTS", file)?;
        }
        Ok(found)
    }

    /// Whether nothing names any.
    pub(super) fn is_unsaid(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds those of a file.
    ///
    /// # Errors
    /// It cannot be read, or holds none.
    pub(super) fn add_file(
        &mut self,
        named_by: &'static str,
        file: PathBuf,
    ) -> Result<(), Failure> {
        self.more.extend(read_file(named_by, &file)?);
        self.sources.push((named_by, file));
        Ok(())
    }

    /// Adds those of a directory.
    ///
    /// # Errors
    /// It cannot be read, or holds none.
    pub(super) fn add_directory(
        &mut self,
        named_by: &'static str,
        directory: PathBuf,
    ) -> Result<(), Failure> {
        let directories = [directory];
        self.more.extend(read_directories(named_by, &directories)?);
        self.sources
            .extend(directories.map(|directory| (named_by, directory)));
        Ok(())
    }

    /// Reads the system's now, if they are to count. On Linux the system's verifier has nothing but them.
    pub(super) fn load_systems(&mut self) {
        if self.is_unsaid() && cfg!(target_os = "linux") {
            self.systems = Some(systems());
        }
    }

    /// What named them, each with its path.
    pub(super) fn sources(&self) -> &[(&'static str, PathBuf)] {
        &self.sources
    }

    /// Whether the system's count too.
    pub(super) fn has_systems(&self) -> bool {
        self.instead.is_none()
    }

    /// As ureq takes them.
    pub(super) fn roots(&self) -> RootCerts {
        if self.is_unsaid() {
            return match &self.systems {
                None => RootCerts::PlatformVerifier,
                // An image without certificates of its own: use the ones that are built in.
                Some(none) if none.is_empty() => RootCerts::WebPki,
                Some(systems) => RootCerts::Specific(Arc::new(systems.clone())),
            };
        }
        let mut all = self.instead.clone().unwrap_or_else(systems);
        all.extend_from_slice(&self.more);
        RootCerts::Specific(Arc::new(all))
    }
}

/// Those of the system, as far as they can be read.
fn systems() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

fn unusable(named_by: &str, path: &Path, why: &str) -> Failure {
    let path = printable(&path.display().to_string());
    Failure::new(format!("cannot use {path}, which {named_by} names: {why}"))
}

fn read_file(named_by: &str, file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let certificates =
        certificates(file).map_err(|error| unusable(named_by, file, &error.to_string()))?;
    match certificates.is_empty() {
        true => Err(unusable(named_by, file, "it holds no certificate (PEM)")),
        false => Ok(certificates),
    }
}

/// Files in a directory that hold no certificate are not for us.
fn read_directories(
    named_by: &str,
    directories: &[PathBuf],
) -> Result<Vec<Certificate<'static>>, Failure> {
    let mut found = Vec::new();
    for directory in directories {
        let entries = fs::read_dir(directory)
            .map_err(|error| unusable(named_by, directory, &error.to_string()))?;
        for entry in entries.flatten() {
            found.extend(certificates(&entry.path()).unwrap_or_default());
        }
    }
    match (found.is_empty(), directories) {
        (true, [first, ..]) => Err(unusable(named_by, first, "it holds no certificate (PEM)")),
        _ => Ok(found),
    }
}

/// The certificates in a file that can stand for an authority.
fn certificates(file: &Path) -> std::io::Result<Vec<Certificate<'static>>> {
    // Whoever opens a FIFO waits for its writer.
    if !fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let found = parse_pem(text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let can_stand = |certificate: &Certificate<'_>| {
        let mut store = RootCertStore::empty();
        store.add(CertificateDer::from(certificate.der())).is_ok()
    };
    Ok(found.filter(can_stand).collect())
}
