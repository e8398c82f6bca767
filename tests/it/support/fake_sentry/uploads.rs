//! The endpoints of build tools: releases, and source maps uploaded in chunks.

use super::FakeSentry;
use super::http::{Answer, Request};
use serde_json::{Value, json};

const CHUNKS: &str = "/api/0/organizations/my-org/chunk-upload/";
const ASSEMBLE: &str = "/api/0/organizations/my-org/artifactbundle/assemble/";
const RELEASES: &str = "/api/0/organizations/my-org/releases/";

#[derive(Default)]
pub(super) struct Uploads {
    chunks: usize,
    releases: Vec<String>,
}

impl Uploads {
    pub(super) fn covers(route: &str) -> bool {
        [CHUNKS, ASSEMBLE, RELEASES].contains(&route)
    }

    /// Answers an authorized request.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        match (request.method.as_str(), request.route()) {
            ("GET", CHUNKS) => Answer::json(
                200,
                &json!({
                    "url": CHUNKS, "chunkSize": 8 << 20, "chunksPerRequest": 64, "maxRequestSize": 32 << 20,
                    "concurrency": 1, "hashAlgorithm": "sha1", "compression": [],
                    "accept": ["release_files", "sources", "artifact_bundles", "artifact_bundles_v2"],
                }),
            ),
            ("POST", CHUNKS) => {
                self.chunks += 1;
                Answer::json(200, &json!({}))
            }
            ("POST", ASSEMBLE) => {
                let missing = match self.chunks {
                    0 => body(request)["chunks"].clone(),
                    _ => json!([]),
                };
                let state = ["created", "not_found"][usize::from(self.chunks == 0)];
                Answer::json(200, &json!({ "state": state, "missingChunks": missing }))
            }
            ("POST", RELEASES) => {
                let version = body(request)["version"].clone();
                self.releases.extend(version.as_str().map(str::to_owned));
                let made = json!({ "version": version, "dateCreated": "2026-01-01T00:00:00Z" });
                Answer::json(201, &made)
            }
            _ => Answer::new(405, "text/html", "<h1>Method Not Allowed</h1>"),
        }
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

impl FakeSentry {
    /// How many chunks were uploaded.
    pub fn uploads(&self) -> usize {
        self.server.lock().rules.uploads.chunks
    }

    /// The versions of the releases that were created.
    pub fn releases(&self) -> Vec<String> {
        self.server.lock().rules.uploads.releases.clone()
    }
}
