//! Which client calls, by its command line and its environment.

use super::*;
use proptest::prelude::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn a_login_is_recognized_by_the_subcommand() {
    for line in [
        "docker login r.example",
        "/usr/bin/docker --config /x login",
        "docker --config=/x -D login -u joe r.example",
        "docker -H unix:///x -lerror login",
        "docker -DHunix:///x login",
        "docker -Dc other login",
        "podman login r.example",
        "podman login --get-login=false r.example",
        "podman --root /x --storage-driver vfs --events-backend none --remote login r.example",
        "podman-remote -c machine login r.example",
        "skopeo --insecure-policy login r.example",
        "buildah --storage-opt a=b login r.example",
        "nerdctl -n k8s.io --insecure-registry login r.example",
        "crane auth login r.example",
        "crane -v auth --insecure login r.example",
        "oras login r.example",
        "helm --debug registry -n x login r.example",
        "regctl registry login r.example",
        "C:/docker.exe login r.example",
    ] {
        assert!(is_login(&words(line)), "{line}");
    }
}

#[test]
fn the_word_elsewhere_means_nothing() {
    for line in [
        "docker",
        "docker --config login pull x",
        "docker -c login pull x",
        "docker -Dc login pull x",
        "docker -H login pull x",
        "docker build login",
        "docker run --rm x login",
        "docker pull login",
        "docker compose pull login",
        "docker --unknown login",
        "docker -x login",
        "docker -- login",
        "docker-compose pull login",
        "docker-compose login",
        "docker logout login",
        "podman --log-level login pull x",
        "podman build -t login .",
        "podman run x podman login",
        "skopeo --tmpdir login inspect docker://r.example/x",
        "skopeo copy docker://login dir:login",
        "buildah --root login pull x",
        "crane login r.example",
        "crane --platform auth login x",
        "helm pull login",
        "helm registry logout login",
        "python3 login",
        "sh -c login",
        "login",
        "login login",
        "podman login --get-login r.example",
        "podman login r.example --get-login",
        "skopeo login --get-login=true r.example",
        "buildah --debug login --get-login r.example",
    ] {
        assert!(!is_login(&words(line)), "{line}");
    }
    assert!(!is_login(&[]));
    assert!(!is_login(&[OsString::new(), OsString::from("login")]));
}

#[test]
fn a_login_and_a_logout_write_the_configuration() {
    for (line, command) in [
        ("docker login r.example", Some("docker login")),
        ("/bin/docker -D logout r.example", Some("docker logout")),
        (
            "docker -D context --debug use x",
            Some("docker context use"),
        ),
        ("docker pull logout", None),
        ("podman-remote logout --all", Some("podman logout")),
        ("helm registry login r.example", Some("helm registry login")),
    ] {
        let found = writes_configuration(&words(line));
        assert_eq!(found.as_deref(), command, "{line}");
    }
}

proptest! {
    #[test]
    fn no_arguments_make_a_panic(words in proptest::collection::vec("\\PC{0,12}", 0..6)) {
        let mut words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        words.insert(0, "docker".into());
        is_login(&words);
    }
}
