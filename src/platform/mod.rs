//! Everything that differs between operating systems, named by its purpose.
//!
//! Separate from the rest of the crate, which is the same on all systems: FFI, `unsafe` and a `cfg` for a system appear
//! only here. Each system has a directory with the modules below; `files/` has what is the same on all of them. In
//! `unix/`, code for a single system is in `linux.rs`, `apple.rs` and `other.rs`, and code for two of them in files of its
//! own; `--cfg portable` selects `other.rs` on every Unix, which makes it testable on Linux.
//!
//! Imports nothing of this crate, and knows nothing of credentials.
//!
//! Where this page names a mode, Windows has an access list: for the user, SYSTEM and the administrators only.
//!
//! # files
//!
//! | function | promise | not promised |
//! |---|---|---|
//! | `create_private` | creates a file with mode 0600, on Windows a protected access list; follows no symlink, overwrites nothing | |
//! | `open_private` | opens a regular file of this user that follows a [`Rule`](files::Rule); follows no symlink, does not block on a FIFO | |
//! | `read_of_root` | reads a regular file that nobody but root can have written: owner and mode of it and of its directory, no symlinks | |
//! | `open_foreign` | opens a file of another program, through symlinks; does not block on a FIFO | |
//! | `check`, `Exposure`, `is_private`, `wider_than_private` | who else can read or write a file or directory, by owner and mode, on Windows by owner and access list | Unix access lists: on Linux their mask only, which is part of the mode; Apple: nothing of them, see `judged` |
//! | `judged` | whether that is known; if not, why: no access lists (Windows), an access list that allows anything, a volume that ignores ownership (Apple) | other Unix: access lists of NFSv4 and ZFS |
//! | `create_private_dir`, `make_private` | mode 0700, mode 0600 | |
//! | `sync`, `sync_dir` | content and directory entries survive a power failure (Apple: `F_FULLFSYNC`) | disks that report too early; Windows: directory entries, which NTFS keeps in a journal of its own |
//! | `Reserve` | disk space for a later write, under a name | other Unix: copy-on-write file systems, where a later write needs new space |
//! | `rename_new`, `exchange` | atomic; `rename_new` never replaces a file | other Unix: `exchange`, and atomicity of `rename_new`; Windows: `exchange` |
//! | `replace` | replaces a file; Windows: keeps its owner and access list, and waits for programs that have it open | |
//! | `canonicalize` | a path without symlinks, as other programs write it | |
//! | `is_at`, `stamp` | whether a name still refers to a file, and whether the file was written | file systems with a stopped clock |
//! | `identity` | which file a path refers to, through symlinks and hard links | |
//! | `symlink` | creates a symlink, overwrites nothing | Windows: needs a privilege |
//! | `is_local` | whether no other machine uses the file system | other Unix |
//! | `home_of_git` | the directory of git's configuration, where it is not the user's home | |
//! | `passes_magic_link` | whether a path is another one for each process, by `/proc/self/cwd` under any name | all but Linux: macOS and FreeBSD have no such links, NetBSD and illumos have |
//! | `copy_access_list` | copies the access list of a file | Apple, other Unix; Windows: `replace` does |
//!
//! # process
//!
//! | function | promise | not promised |
//! |---|---|---|
//! | `harden` | no core dumps; a file that grows too large is an error; Linux: other processes of the user cannot read the memory | all but Linux: protection from the user's debuggers |
//! | `close_others_on_exec` | children do not inherit the descriptors that the caller left open | other Unix: descriptors above 1023 without `fdescfs`; Windows: handles that the caller made inheritable, but for the standard ones, which `harden` protects |
//! | `detach`, `begin_session`, `spawn_apart` | signals to the caller's process group and terminal do not reach the process | |
//! | `Inheritance`, `note_ignored_signals_before_main`, `note_limits` | a program that replaces this one gets descriptors, limits and ignored signals as this one did | Apple, other Unix: ignored SIGPIPE and SIGXFSZ; Windows: nothing replaces a process, which waits and ends with the exit code |
//! | `confine`, `CONFINES` | Linux: no programs, no files outside of one directory, one port (Landlock), as far as the kernel supports it | all others |
//! | `LOCKS_PASS_TO_CHILDREN` | a child that inherits the descriptor of a lock file holds the lock; Windows: false, and it acquires the lock itself | |
//! | `arguments_of` | the command line of a process of this user | other Unix |
//! | `running`, `environment_of` | the processes of this user, and what they started with | other Unix; Windows |
//! | `name_of`, `lock_holder` | what `/proc` shows | Apple, other Unix; Windows: `lock_holder` |
//! | `opens_installer`, `INSTALL_GIT` | Apple: whether a program is a placeholder that opens a dialog; the command that installs git | |
//! | `RUNNING_FILE` | a path to the running program, even if it was replaced | all but Linux |
//! | `VARIABLES_IGNORE_CASE` | whether `set name=…` sets `NAME` | |
//! | `LIBC` | the C library of this build, where a system has several | |
//! | `OPENERS`, `HAS_DISPLAY` | programs that open a URL, and whether their window is always visible to the user | |
//! | `open_url` | Windows: opens a URL by the system | |
//! | `DESKTOP_HAS_USERS_PATH`, `docker_desktop_path` | where programs that are started from the desktop look for commands | |
//! | `keyring_identity` | whether the keyring recognizes the next version of this program (Apple: by its signature) | |
//! | `SET_CLOCK` | the command that sets the clock | other Unix: that it exists |
//!
//! # shell
//!
//! | function | promise | not promised |
//! |---|---|---|
//! | `quoted`, `translated` | a word, and a message with commands, for the user's shell: POSIX; Windows: PowerShell, cmd or Git Bash, by the processes that this one descends from | |
//! | `path_for_git` | the path of a program for the shell that git starts, which is a POSIX shell everywhere | |
//!
//! # terminal, streams, signals, clock
//!
//! | function | promise | not promised |
//! |---|---|---|
//! | `Console` | the terminal, if this process is in its foreground process group; reads a line with a timeout; hides input, and restores the terminal from any thread | |
//! | `read_before` | reads from a pipe until a deadline | Apple: the deadline if standard input is a terminal |
//! | `interrupts` | SIGINT, SIGTERM, SIGHUP, SIGQUIT, except those that were ignored when the process started; Windows: events of the console | |
//! | `uptime` | a clock that does not jump and counts suspended time | other Unix: suspended time |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
compile_error!("this system is not supported: src/platform/ has no directory for it");

pub(crate) mod files;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(unix)]
pub(crate) use unix::{clock, inheritance, process, shell, signals, streams, terminal};
#[cfg(windows)]
pub(crate) use windows::{clock, inheritance, process, shell, signals, streams, terminal};
