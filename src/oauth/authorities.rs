//! The trusted certificate authorities: the system's, or those that a setting names.
//!
//! Separate from [`super::connect`], which verifies certificates, because a setting that cannot be read must be
//! reported. The libraries ignore it silently.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::failure::Failure;
use crate::platform::files::{open_foreign, passes_magic_link};
use crate::platform::process::CONFINES;
use crate::printable::printable;
use crate::world::{World, is_of_process};

/// Most bytes that are read of a file.
const MOST: u64 = 16 << 20;

/// On Linux the platform verifier uses nothing but the system's certificates.
const USES_CERTIFICATES_ONLY: bool = CONFINES;

/// The trusted authorities, and the settings they come from.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    /// Replace the system's.
    replacements: Option<Vec<Certificate<'static>>>,
    /// Added to those.
    additions: Vec<Certificate<'static>>,
    /// The system's, if they have been loaded.
    system: Option<Vec<Certificate<'static>>>,
    /// The variables and settings, each with its path.
    sources: Vec<(&'static str, PathBuf)>,
}

impl Authorities {
    /// Reads the variables. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's authorities, `NODE_EXTRA_CA_CERTS`
    /// adds to them.
    ///
    /// # Errors
    /// A named file or directory cannot be read, or contains no certificate.
    pub(super) fn of_environment(world: &World) -> Result<Authorities, Failure> {
        let mut found = Authorities::default();
        if let Some(file) = world.variable_path("SSL_CERT_FILE") {
            let certificates = read_file("SSL_CERT_FILE", &file)?;
            found
                .replacements
                .get_or_insert_default()
                .extend(certificates);
            found.sources.push(("SSL_CERT_FILE", file));
        }
        let directories = world.variable_path_list("SSL_CERT_DIR");
        if !directories.is_empty() {
            let certificates = read_directories("SSL_CERT_DIR", &directories)?;
            found
                .replacements
                .get_or_insert_default()
                .extend(certificates);
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

    /// Whether no setting names any.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds the certificates in a file.
    ///
    /// # Errors
    /// It cannot be read, or contains none.
    pub(super) fn add_file(&mut self, source: &'static str, file: PathBuf) -> Result<(), Failure> {
        self.additions.extend(read_file(source, &file)?);
        self.sources.push((source, file));
        Ok(())
    }

    /// Adds the certificates in a directory.
    ///
    /// # Errors
    /// It cannot be read, or contains none.
    pub(super) fn add_directory(
        &mut self,
        source: &'static str,
        directory: PathBuf,
    ) -> Result<(), Failure> {
        let directories = [directory];
        self.additions
            .extend(read_directories(source, &directories)?);
        self.sources
            .extend(directories.map(|directory| (source, directory)));
        Ok(())
    }

    /// Loads the system's authorities now, if they are used: a confined process cannot.
    pub(super) fn load_system(&mut self) {
        if self.has_systems() && USES_CERTIFICATES_ONLY {
            self.system = Some(system_certificates());
        }
    }

    /// The settings that name authorities, each with its path.
    pub(super) fn sources(&self) -> &[(&'static str, PathBuf)] {
        &self.sources
    }

    /// Whether the system's authorities are trusted.
    pub(super) fn has_systems(&self) -> bool {
        self.replacements.is_none()
    }

    /// Converts them for ureq.
    pub(super) fn roots(&self) -> RootCerts {
        if self.is_empty() {
            let system = match &self.system {
                Some(loaded) => loaded.clone(),
                None if USES_CERTIFICATES_ONLY => system_certificates(),
                None => return RootCerts::PlatformVerifier,
            };
            return match system.is_empty() {
                // A container image without certificates: use the built-in ones.
                true => RootCerts::WebPki,
                false => RootCerts::Specific(Arc::new(system)),
            };
        }
        let system = || self.system.clone().unwrap_or_else(system_certificates);
        let mut all = self.replacements.clone().unwrap_or_else(system);
        all.extend_from_slice(&self.additions);
        RootCerts::Specific(Arc::new(all))
    }
}

/// The system's authorities, as far as they can be read.
fn system_certificates() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

fn unusable(source: &str, path: &Path, why: &str) -> Failure {
    let path = printable(&path.display().to_string());
    let failure = Failure::new(format!("cannot use {path}, which {source} names: {why}"));
    match source.starts_with("SSL_") || source.starts_with("NODE_") {
        true => failure.hint(format!(
            "`unset {source}`, or name one with certificates (PEM)"
        )),
        // A setting of another program.
        false => failure,
    }
}

/// A repository can carry a file with certificates, and a file that sets variables; it does not know where it is.
fn check_path(source: &str, path: &Path) -> Result<(), Failure> {
    let why = if !path.is_absolute() {
        "it is relative to the current directory"
    } else if is_of_process(path) || passes_magic_link(path) {
        "it is another one for each process"
    } else {
        return Ok(());
    };
    Err(unusable(source, path, why))
}

fn read_file(source: &str, file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    check_path(source, file)?;
    let certificates =
        certificates(file).map_err(|error| unusable(source, file, &error.to_string()))?;
    match certificates.is_empty() {
        true => Err(unusable(source, file, "it holds no certificate (PEM)")),
        false => Ok(certificates),
    }
}

/// Files without a certificate in a directory are skipped.
fn read_directories(
    source: &str,
    directories: &[PathBuf],
) -> Result<Vec<Certificate<'static>>, Failure> {
    let mut found = Vec::new();
    for directory in directories {
        check_path(source, directory)?;
        let entries = fs::read_dir(directory)
            .map_err(|error| unusable(source, directory, &error.to_string()))?;
        for entry in entries.flatten() {
            found.extend(certificates(&entry.path()).unwrap_or_default());
        }
    }
    match (found.is_empty(), directories) {
        (true, [first, ..]) => Err(unusable(source, first, "it holds no certificate (PEM)")),
        _ => Ok(found),
    }
}

/// The certificates in a file that can serve as an authority.
fn certificates(file: &Path) -> std::io::Result<Vec<Certificate<'static>>> {
    let file = open_foreign(file)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let found = parse_pem(text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let is_authority = |certificate: &Certificate<'_>| {
        let mut store = RootCertStore::empty();
        store.add(CertificateDer::from(certificate.der())).is_ok()
    };
    Ok(found.filter(is_authority).collect())
}
