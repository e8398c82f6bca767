//! A pseudo-terminal: the user's end and the programs' end. Linux only.

use rustix::fs::OFlags;
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Wide enough for 80-column text, high enough for a QR code.
const WINDOW: Winsize = Winsize {
    ws_row: 50,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// `TIOCSPTLCK` and `TIOCGPTN`, `man 2 ioctl_tty`.
const SET_LOCK: Opcode = opcode::write::<i32>(b'T', 0x31);
const NUMBER: Opcode = opcode::read::<u32>(b'T', 0x30);

pub(super) struct Pty {
    pub(super) user: File,
    pub(super) program: File,
}

impl Pty {
    #[allow(
        unsafe_code,
        reason = "rustix has these two ioctls behind a feature that nothing else here needs"
    )]
    pub(super) fn open() -> Self {
        let user = open_without_adopting("/dev/ptmx");
        // SAFETY: `TIOCSPTLCK` takes a pointer to an int.
        unsafe { ioctl(&user, Setter::<SET_LOCK, i32>::new(0)) }
            .expect("a new terminal can be unlocked");
        // SAFETY: `TIOCGPTN` fills an unsigned int.
        let number =
            unsafe { ioctl(&user, Getter::<NUMBER, u32>::new()) }.expect("a terminal has a number");
        let program = open_without_adopting(format!("/dev/pts/{number}"));
        tcsetwinsize(&program, WINDOW).expect("a terminal has a size");
        Self { user, program }
    }
}

/// The test process must not get the terminal as its own.
fn open_without_adopting(path: impl AsRef<Path>) -> File {
    let flags = OFlags::NOCTTY.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
        .expect("a pseudo-terminal")
}
