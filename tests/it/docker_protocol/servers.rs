//! Server URLs.

use super::{docker, erase, gets, gets_nothing, lists, refuses, store};
use crate::sandbox::Sandbox;
use serde_json::json;

#[test]
fn one_server_has_many_names_and_each_comes_back_as_given() {
    let names = [
        "r.example",
        "https://r.example",
        "http://r.example",
        "https://r.example/",
        "HTTPS://R.Example",
        "R.EXAMPLE",
        "r.example:443",
        "https://r.example:443/",
        "http://r.example:80",
        "//r.example",
        "r.example/",
    ];
    for stored in names {
        let machine = Sandbox::new();
        store(&machine, stored, "ann", "secret");
        for asked in names {
            gets(&machine, asked, "ann", "secret");
        }
        lists(&machine, &json!({ stored: "ann" }));
        erase(&machine, "https://r.example");
        gets_nothing(&machine, stored);
    }
}

#[test]
fn white_space_around_a_server_is_not_part_of_it() {
    let machine = Sandbox::new();
    store(&machine, "r.example", "ann", "secret");
    docker(&machine, "get", " r.example\r\n")
        .success()
        .stdout_is("{\"ServerURL\":\"r.example\",\"Username\":\"ann\",\"Secret\":\"secret\"}\n");
    erase(&machine, "r.example\n");
    gets_nothing(&machine, "r.example");
}

#[test]
fn the_path_and_the_port_count() {
    let machine = Sandbox::new();
    store(&machine, "https://index.docker.io/v1/", "ann", "hub");
    store(&machine, "r.example:5000", "bob", "port");
    gets(&machine, "https://index.docker.io/v1/", "ann", "hub");
    gets(&machine, "index.docker.io/v1", "ann", "hub");
    gets(&machine, "r.example:5000", "bob", "port");
    for other in [
        "index.docker.io",
        "https://index.docker.io/v2/",
        "https://index.docker.io/V1/",
        "https://index.docker.io/v1/x",
        "https://docker.io/v1/",
        "r.example",
        "r.example:5001",
        "r.example:5000/v1",
    ] {
        gets_nothing(&machine, other);
    }
}

#[test]
fn an_invalid_host_has_nothing() {
    let machine = Sandbox::new();
    store(&machine, "r.example", "ann", "secret");
    for server in [
        "r.example#.evil.com",
        "r.example?.evil.com",
        "r.example\\.evil.com",
        "r.example@evil.com",
        "evil.com@r.example",
        "user@r.example",
        "https://user:pw@r.example",
        "r.example:443@evil.com",
        "ftp://r.example",
        "javascript:alert(1)",
        "https:/r.example",
        "https:///r.example",
        "r.example.",
        ".r.example",
        "xr.example",
        "r.example.evil.com",
        "r.example:0443",
        "r.example:",
        "r.example %20",
        "r.example%00",
        "ｒ.example",
        "r。example",
        "r\u{ad}.example",
        "r.example\u{a0}",
        "\u{3000}r.example",
        "r.example/../s",
        "-u r.example",
        "$(id)",
    ] {
        gets_nothing(&machine, server);
    }
}

#[test]
fn a_request_has_one_line() {
    let machine = Sandbox::new();
    for input in [
        "https://evil.com\nsentry.io",
        "r.example\nr.example",
        "r.example\r\nx",
        "r.example\0",
        "r.exa\tmple",
        "r.example\u{85}",
        "r.example\u{1b}[31m",
    ] {
        for action in ["get", "erase"] {
            refuses(
                &machine,
                action,
                input,
                "the server URL has more than one line\n",
            );
        }
    }
    for action in ["get", "erase", "store"] {
        refuses(
            &machine,
            action,
            b"r.\xff.example",
            "the request is not UTF-8\n",
        );
    }
}
