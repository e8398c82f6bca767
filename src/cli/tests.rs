use clap::CommandFactory as _;

#[test]
fn a_host_that_is_none_is_answered_with_what_to_type() {
    for (text, expected) in [
        (
            "git.example.com/team",
            "git gets a login for a whole host, without a path: use `git.example.com`",
        ),
        (
            "https://git.example.com:8443/a/b.git",
            "git gets a login for a whole host, without a path: use `https://git.example.com:8443`",
        ),
        (
            "*.example.com",
            "each host is set up by its own name, without `*`",
        ),
        (
            "git example",
            "a host of git looks like `git.example.com` or `git.example.com:8443`",
        ),
        ("http://g.example", "plain http is for this machine only"),
    ] {
        let error = super::GitHost::from_setting(text).err().unwrap();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(super::GitHost::from_setting("git.example.com/").is_ok());
}

#[test]
fn the_command_line_is_consistent() {
    super::Cli::command().debug_assert();
}
