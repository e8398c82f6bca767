//! One command in each shell.

use std::ffi::OsString;

use super::Shell::{Cmd, Posix, PowerShell};
use super::{Shell, path_for_git, quoted, shell_of, translated};

#[test]
fn a_word_is_quoted_where_powershell_would_take_it_apart() {
    for (word, expected) in [
        ("https://r.example:5000", "https://r.example:5000"),
        (r"C:\Users\jane\x", r"C:\Users\jane\x"),
        ("", "''"),
        (r"C:\Program Files", r"'C:\Program Files'"),
        (r"C:\Users\Jürgen", r"'C:\Users\Jürgen'"),
        ("it's", "'it''s'"),
        ("$(x)", "'$(x)'"),
        ("a,b", "'a,b'"),
        ("@x", "'@x'"),
        ("--x", "--x"),
        ("7", "'7'"),
    ] {
        assert_eq!(quoted(word), expected);
    }
}

#[test]
fn a_path_for_git_has_slashes_and_the_quotes_of_its_shell() {
    for (path, expected) in [
        (r"C:\bin\x.exe", "C:/bin/x.exe"),
        (r"C:\Program Files\x.exe", "'C:/Program Files/x.exe'"),
        (r"C:\Users\Jürgen\x.exe", "'C:/Users/Jürgen/x.exe'"),
        (r"C:\it's\x.exe", "\"C:/it's/x.exe\""),
        (r"\\server\share\x.exe", "//server/share/x.exe"),
    ] {
        assert_eq!(path_for_git(path), expected);
    }
}

#[test]
fn a_word_is_the_same_one_in_each_shell() {
    for (word, powershell, cmd, posix) in [
        (
            "https://r.example:5000",
            "https://r.example:5000",
            "https://r.example:5000",
            "https://r.example:5000",
        ),
        (
            r"C:\Users\jane\x",
            r"C:\Users\jane\x",
            r"C:\Users\jane\x",
            "C:/Users/jane/x",
        ),
        (r"C:\a b", r"'C:\a b'", r#""C:\a b""#, "'C:/a b'"),
        (
            r"C:\R&D (x)!",
            r"'C:\R&D (x)!'",
            r#""C:\R&D (x)!""#,
            "'C:/R&D (x)!'",
        ),
        (
            r"C:\a && b",
            r"'C:\a && b'",
            r#""C:\a && b""#,
            "'C:/a && b'",
        ),
        (
            r"C:\100%x%",
            r"C:\100%x%",
            r#"^"C:\100^%x^%^""#,
            "'C:/100%x%'",
        ),
        (r"C:\it's", r"'C:\it''s'", r#""C:\it's""#, r#""C:/it's""#),
        (r"C:\Jürgen", r"'C:\Jürgen'", r"C:\Jürgen", "'C:/Jürgen'"),
        (
            r"\\server\my share",
            r"'\\server\my share'",
            r#""\\server\my share""#,
            "'//server/my share'",
        ),
        (
            r"AD\jane roe",
            r"'AD\jane roe'",
            r#""AD\jane roe""#,
            r"'AD\jane roe'",
        ),
        (r"a \", r"'a \'", r#""a \\""#, r"'a \'"),
        (r#"say "x"#, r#"'say "x'"#, r#"^"say \^"x^""#, r#"'say "x'"#),
        ("$(x)", "'$(x)'", r#""$(x)""#, "'$(x)'"),
        ("", "''", r#""""#, "''"),
        (
            "http://[::1]:9000",
            "'http://[::1]:9000'",
            r#""http://[::1]:9000""#,
            "'http://[::1]:9000'",
        ),
    ] {
        let line = format!("`sentry {}`", quoted(word));
        for (shell, expected) in [(PowerShell, powershell), (Cmd, cmd), (Posix, posix)] {
            let shown = translated(&line, || shell);
            assert_eq!(shown, format!("`sentry {expected}`"), "{shell:?}");
        }
    }
}

#[test]
fn a_message_without_a_command_needs_no_shell() {
    let text = "not logged in to https://s.example";
    assert_eq!(translated(text, || unreachable!()), text);
}

/// What each shell shows, or what all do.
#[track_caller]
fn shown(posix: &str, powershell: &str, cmd: &str, bash: &str) {
    for (shell, expected) in [(PowerShell, powershell), (Cmd, cmd), (Posix, bash)] {
        assert_eq!(translated(posix, || shell), expected, "{shell:?}");
    }
}

#[test]
fn what_is_the_same_everywhere_stays() {
    for text in [
        "no command at all",
        "`sentry auth login`",
        "`git|docker HOST INSTANCE [CLIENT_ID]`",
        "`cli.db.corrupt-<time>`",
        "`x <time>`",
        "`https://[::1]:9000`",
        r"`'C:\a b'`",
        r#"`"credsStore": "sentry"`"#,
        r"`credential.helper=!'C:/a b/x.exe' --y 'z'`",
    ] {
        shown(text, text, text, text);
    }
}

#[test]
fn variables_are_set_and_unset() {
    shown(
        "hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, or so",
        "hint: `$env:SENTRY_CLIENT_ID = 'CLIENT_ID'`, or so",
        r#"hint: `set "SENTRY_CLIENT_ID=CLIENT_ID"`, or so"#,
        "hint: `export SENTRY_CLIENT_ID=CLIENT_ID`, or so",
    );
    shown(
        r#"`export A="$HOME/.config/x"`"#,
        r#"`$env:A = "$HOME/.config/x"`"#,
        r#"`set "A=%USERPROFILE%/.config/x"`"#,
        r#"`export A="$HOME/.config/x"`"#,
    );
    shown(
        r"`export A='C:\50% x'`",
        r"`$env:A = 'C:\50% x'`",
        r#"`set ^"A=C:\50^% x^"`"#,
        "`export A='C:/50% x'`",
    );
    shown(
        r#"`export PATH='C:\a b':"$PATH"`"#,
        r"`$env:PATH = 'C:\a b' + ';' + $env:PATH`",
        r#"`set "PATH=C:\a b;%PATH%"`"#,
        r#"`export PATH='/c/a b':"$PATH"`"#,
    );
    shown(
        "`A=b sentry x`",
        "`$env:A = 'b'; sentry x`",
        r#"`set "A=b" & sentry x`"#,
        "`A=b sentry x`",
    );
    shown(
        "`unset SENTRY_URL SENTRY_HOST`",
        "`$env:SENTRY_URL = $env:SENTRY_HOST = $null`",
        r#"`set "SENTRY_URL=" & set "SENTRY_HOST="`"#,
        "`unset SENTRY_URL SENTRY_HOST`",
    );
}

#[test]
fn files_are_removed_and_renamed() {
    shown(
        r"`rm 'C:\it''s' C:\c`",
        r"`Remove-Item -LiteralPath 'C:\it''s', C:\c`",
        r#"`del "C:\it's" C:\c`"#,
        r#"`rm "C:/it's" C:/c`"#,
    );
    shown(
        r"`rm -r C:\c`",
        r"`Remove-Item -Recurse -LiteralPath C:\c`",
        r"`rmdir /s /q C:\c`",
        "`rm -r C:/c`",
    );
    shown(
        r"`rmdir C:\c`",
        r"`Remove-Item -LiteralPath C:\c`",
        r"`rmdir C:\c`",
        "`rmdir C:/c`",
    );
    shown(
        r"`mv 'C:\a b' 'C:\a b'.old`",
        r"`Move-Item -LiteralPath 'C:\a b' 'C:\a b.old'`",
        r#"`move "C:\a b" "C:\a b.old"`"#,
        "`mv 'C:/a b' 'C:/a b.old'`",
    );
    shown(
        r"`sentry x && rm C:\d`",
        r"`sentry x; Remove-Item -LiteralPath C:\d`",
        r"`sentry x && del C:\d`",
        "`sentry x && rm C:/d`",
    );
}

#[test]
fn access_is_restricted_by_programs_of_windows() {
    shown(
        r"`chmod 700 C:\c && chmod 600 'C:\c d'*`",
        "`icacls C:\\c /reset; \
         icacls C:\\c /inheritance:r /grant:r \"${env:USERDOMAIN}\\${env:USERNAME}:(OI)(CI)F\"; \
         icacls 'C:\\c d*' /reset; \
         icacls 'C:\\c d*' /inheritance:r /grant:r \"${env:USERDOMAIN}\\${env:USERNAME}:F\"`",
        "`icacls C:\\c /reset && \
         icacls C:\\c /inheritance:r /grant:r \"%USERDOMAIN%\\%USERNAME%:(OI)(CI)F\" && \
         icacls \"C:\\c d*\" /reset && \
         icacls \"C:\\c d*\" /inheritance:r /grant:r \"%USERDOMAIN%\\%USERNAME%:F\"`",
        "`icacls 'C:\\c' //reset && \
         icacls 'C:\\c' //inheritance:r //grant:r \"$USERDOMAIN\\\\$USERNAME:(OI)(CI)F\" && \
         icacls 'C:\\c d*' //reset && \
         icacls 'C:\\c d*' //inheritance:r //grant:r \"$USERDOMAIN\\\\$USERNAME:F\"`",
    );
    shown(
        r#"`sudo chown -R "$(id -un)" 'C:\a b'`, if"#,
        r"`takeown /f 'C:\a b' /r`, if",
        r#"`takeown /f "C:\a b" /r`, if"#,
        r"`takeown //f 'C:\a b' //r`, if",
    );
    shown(
        r#"`sudo chown "$(id -un)" C:\c`"#,
        r"`takeown /f C:\c`",
        r"`takeown /f C:\c`",
        r"`takeown //f 'C:\c'`",
    );
    shown(
        "`w32tm /resync`",
        "`w32tm /resync`",
        "`w32tm /resync`",
        "`w32tm //resync`",
    );
}

#[test]
fn commands_read_lines_and_files() {
    shown(
        r"`printf '%s\n' protocol=https 'path=it''s' 'a=50%&<x>' | git credential-sentry erase`",
        "`'protocol=https', 'path=it''s', 'a=50%&<x>' | git credential reject`",
        "`(echo protocol=https&echo path=it's&echo a=50^%^&^<x^>)>\"%TEMP%\\sentry-credential.txt\" && \
         git credential reject <\"%TEMP%\\sentry-credential.txt\" && del \"%TEMP%\\sentry-credential.txt\"`",
        r#"`printf '%s\n' protocol=https "path=it's" 'a=50%&<x>' | git credential-sentry erase`"#,
    );
    shown(
        "`iconv -f UTF-16 -t UTF-8 <FILE | sentry auth login 'a b'`",
        "`Get-Content FILE | sentry auth login 'a b'`",
        r#"`type FILE | sentry auth login "a b"`"#,
        "`iconv -f UTF-16 -t UTF-8 <FILE | sentry auth login 'a b'`",
    );
    shown(
        "`sentry auth login --with-token <FILE`",
        "`Get-Content FILE | sentry auth login --with-token`",
        "`sentry auth login --with-token <FILE`",
        "`sentry auth login --with-token <FILE`",
    );
    shown(
        "`curl -v https://x/`",
        "`curl.exe -v https://x/`",
        "`curl -v https://x/`",
        "`curl -v https://x/`",
    );
}

/// By the ancestors' command lines, the parent first.
fn by(ancestors: &[&[&str]], shell: &str) -> Shell {
    let ancestors = ancestors.iter().map(|words| {
        let words = words.iter().map(OsString::from).collect();
        let name = |words: &Vec<OsString>| words[0].to_string_lossy().into_owned();
        (name(&words), words)
    });
    shell_of(ancestors, Some(shell.into()))
}

#[test]
fn the_shell_is_the_first_one_that_a_user_types_in() {
    const GIT: &[&str] = &["git.exe", "push"];
    const MINTTY: &[&str] = &["mintty.exe", "-"];
    let bash: &[&str] = &["bash.exe", "--login", "-i"];
    let cmd: &[&str] = &["cmd.exe"];
    let pwsh: &[&str] = &["pwsh.exe", "-NoLogo"];
    for (ancestors, expected) in [
        (&[pwsh][..], PowerShell),
        (&[cmd], Cmd),
        (&[bash, MINTTY], Posix),
        // A helper, by git and the shell of git.
        (&[&["sh.exe", "-c", "x get", "x"], GIT, GIT, cmd], Cmd),
        (&[&["sh.exe", "-c", "x get", "x"], GIT, pwsh], PowerShell),
        (&[&["sh.exe", "-c", "x get", "x"], GIT, bash], Posix),
        // What npm makes of a program, and what it starts.
        (&[&["cmd.exe", "/d", "/s", "/c", "x.cmd"], GIT, bash], Posix),
        (&[&["CMD.EXE", "/D", "/C", "x"], pwsh], PowerShell),
        // One shell in another.
        (&[pwsh, bash, MINTTY], PowerShell),
        (&[cmd, pwsh], Cmd),
        (&[bash, cmd], Posix),
        // Shells that stay after a command, as editors start them.
        (&[&["cmd.exe", "/k", "vcvars.bat", "/c"]], Cmd),
        (&[&["cmd.exe", "/E:ON", "/K", "x"]], Cmd),
        (
            &[&["powershell.exe", "-noexit", "-command", "x"], cmd],
            PowerShell,
        ),
        (&[&["bash.exe", "--init-file", "x.sh"], cmd], Posix),
        (&[&["sh.exe", "--login", "-i"], cmd], Posix),
        // Those that do not.
        (
            &[&["powershell.exe", "-NoProfile", "-Command", "x"], cmd],
            Cmd,
        ),
        (
            &[
                &[
                    "powershell.exe",
                    "-ExecutionPolicy",
                    "Bypass",
                    "-f",
                    "x.ps1",
                ],
                cmd,
            ],
            Cmd,
        ),
        (
            &[&["powershell.exe", "-ExecutionPolicy", "Bypass"], cmd],
            PowerShell,
        ),
        (&[&["bash.exe", "-lc", "x"], cmd], Cmd),
        (
            &[&["bash.exe", ".git/hooks/pre-push"], GIT, pwsh],
            PowerShell,
        ),
        (&[&["explorer.exe"]], PowerShell),
        (&[], PowerShell),
    ] {
        assert_eq!(by(ancestors, ""), expected, "{ancestors:?}");
    }
}

#[test]
fn a_shell_whose_command_line_is_unknown_is_typed_in() {
    let of = |name: &str| shell_of([(name.to_owned(), Vec::new())], None);
    assert_eq!(of("cmd.exe"), Cmd);
    assert_eq!(of("bash.exe"), Posix);
    // git's.
    assert_eq!(of("sh.exe"), PowerShell);
}

#[test]
fn without_a_shell_among_the_ancestors_the_variable_decides() {
    assert_eq!(by(&[&["env.exe"]], "/usr/bin/bash"), Posix);
    assert_eq!(by(&[&["cmd.exe"]], "/usr/bin/bash"), Cmd);
    assert_eq!(shell_of([], None), PowerShell);
}
