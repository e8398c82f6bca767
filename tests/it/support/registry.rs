//! A real registry (Debian's docker-registry) behind an nginx that decides about access.
//!
//! The registry itself listens on a socket in its own directory and requires no password.

use crate::fake_sentry::FakeSentry;
use crate::nginx::{Challenge, Door, Nginx};
use crate::sandbox::Sandbox;
use crate::service::{Service, tool};
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

/// The fake Sentry accepts this one from the registry's owner, who fills it.
const OWNERS_TOKEN: &str = "sntryu_owner_of_the_registry";

/// On every answer: without it docker before 23 does not recognize a registry.
const API_VERSION: &str = "add_header Docker-Distribution-Api-Version registry/2.0 always;";

/// A running registry; dropping it ends its processes and removes its images.
pub struct Registry {
    nginx: Nginx,
    _backend: Service,
    sandbox: Sandbox,
    /// `user:password` with which images are pushed.
    owner: String,
}

impl Registry {
    /// Grants access to clients with an access token that the Sentry accepts, by Basic.
    #[track_caller]
    pub fn start(sentry: &FakeSentry) -> Self {
        sentry.add_api_token(OWNERS_TOKEN);
        Self::behind(
            Door::Sentry(sentry, Challenge::Basic),
            format!("owner:{OWNERS_TOKEN}"),
        )
    }

    /// A registry that has nothing to do with Sentry.
    #[track_caller]
    pub fn start_with_password(user: &str, password: &str) -> Self {
        Self::behind(Door::Password(user, password), format!("{user}:{password}"))
    }

    #[track_caller]
    fn behind(door: Door<'_>, owner: String) -> Self {
        let sandbox = Sandbox::new();
        let root = sandbox.root().display();
        let socket = sandbox.root().join("registry.sock");
        let config = format!(
            "version: 0.1\n\
             log: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {root}/images}}}}\n\
             http: {{net: unix, addr: {root}/registry.sock, relativeurls: true}}\n"
        );
        let config_file = sandbox.root().join("registry.yml");
        fs::write(&config_file, config).expect("a file");
        let cmd = sandbox
            .command(tool("docker-registry"))
            .arg("serve")
            .arg(&config_file);
        let mut backend = Service::start(cmd, Stdio::null());
        backend.wait_until(|| UnixStream::connect(&socket).ok());
        let inside = format!(
            "proxy_pass http://unix:{root}/registry.sock; \
             proxy_set_header Host $http_host; \
             proxy_set_header Authorization ''; \
             proxy_hide_header Docker-Distribution-Api-Version;"
        );
        let nginx = Nginx::start(&sandbox, door, API_VERSION, &inside);
        Self {
            nginx,
            _backend: backend,
            sandbox,
            owner,
        }
    }

    /// `127.0.0.1:<port>`
    pub fn host(&self) -> String {
        self.nginx.host()
    }

    /// Pushes a small image as `name`, like `feas/hello:1`, and returns its full name.
    #[track_caller]
    pub fn push_image(&self, name: &str) -> String {
        let directory = self.sandbox.root().join("image");
        image::write(&directory);
        let full_name = format!("{}/{name}", self.host());
        let push =
            self.sandbox
                .command(tool("skopeo"))
                .args(["--insecure-policy", "copy", "--quiet"]);
        push.args(["--dest-tls-verify=false", "--dest-creds", &self.owner])
            .args([
                format!("dir:{}", directory.display()),
                format!("docker://{full_name}"),
            ])
            .run()
            .success();
        full_name
    }
}

/// The smallest image that every client accepts, docker before 23 too: one layer, an empty tar archive.
/// Files that have a digest are named by it, as skopeo's `dir:` wants them; skopeo checks the digests.
mod image {
    use std::fs;
    use std::path::Path;

    const LAYER: (&str, [u8; 1024]) = (
        "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        [0; 1024],
    );

    const CONFIG: (&str, &str) = (
        "277a86d5d1a6983dd0f8c45442ddec4188dd31d58693bede97b63004e4706d31",
        r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#,
    );

    pub(super) fn write(directory: &Path) {
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "digest": format!("sha256:{}", CONFIG.0),
                "size": CONFIG.1.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                "digest": format!("sha256:{}", LAYER.0),
                "size": LAYER.1.len(),
            }],
        });
        fs::create_dir_all(directory).expect("a directory");
        fs::write(directory.join(LAYER.0), LAYER.1).expect("a file");
        fs::write(directory.join(CONFIG.0), CONFIG.1).expect("a file");
        fs::write(directory.join("manifest.json"), manifest.to_string()).expect("a file");
    }
}
