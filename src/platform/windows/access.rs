//! Access lists: who can read or write a file, and a list for the user alone.
//!
//! Separate from [`files`](super::files) because of the `unsafe` calls. The user, SYSTEM and the administrators count as the
//! owner: Windows gives them access to everything in the user's profile. Anybody else whom an entry allows something
//! counts as another user; entries that deny something are ignored.

use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_SUCCESS, GENERIC_ALL, GENERIC_READ, GENERIC_WRITE, HLOCAL, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce,
    GetSecurityDescriptorDacl, GetTokenInformation, INHERIT_ONLY_ACE, OWNER_SECURITY_INFORMATION,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES,
    TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_APPEND_DATA, FILE_DELETE_CHILD, FILE_READ_DATA, FILE_WRITE_DATA, WRITE_DAC,
    WRITE_OWNER,
};
use windows_sys::Win32::System::SystemServices::{
    ACCESS_ALLOWED_ACE_TYPE, ACCESS_ALLOWED_CALLBACK_ACE_TYPE,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::handle::{has_access_lists, raw, wide};

const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";
const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/// Accounts that can access any file. The last two stand for the owner.
const TRUSTED: [&str; 5] = [
    SYSTEM,
    ADMINISTRATORS,
    TRUSTED_INSTALLER,
    "S-1-3-0",
    "S-1-3-4",
];

const READS: u32 = FILE_READ_DATA | GENERIC_READ | GENERIC_ALL;
const WRITES: u32 = FILE_WRITE_DATA
    | FILE_APPEND_DATA
    | FILE_DELETE_CHILD
    | DELETE
    | WRITE_DAC
    | WRITE_OWNER
    | GENERIC_WRITE
    | GENERIC_ALL;

/// Who owns a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    /// SYSTEM, the administrators, or Windows itself.
    System,
    Other,
}

/// What other users can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Allowed {
    Nothing,
    Read,
    Write,
}

/// What the access list of a file says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    pub(super) owner: Owner,
    /// Other users.
    pub(super) others: Allowed,
    /// This user and others.
    pub(super) users: Allowed,
}

/// The access list of an open file. `None` if it cannot be read, or the file system has none.
#[allow(unsafe_code, reason = "calls of the system")]
pub(super) fn access(file: &File) -> Option<Access> {
    if !has_access_lists(file) {
        return None;
    }
    let (mut owner, mut list): (PSID, *mut ACL) = (ptr::null_mut(), ptr::null_mut());
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the handle is open; the descriptor, which owner and list point into, is freed below.
    let status = unsafe {
        GetSecurityInfo(
            raw(file),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            &raw mut list,
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if status != ERROR_SUCCESS {
        return None;
    }
    let _descriptor = Local(descriptor);
    let us = user()?;
    // SAFETY: the descriptor is not freed yet.
    let owner = unsafe { text_of(owner) }?;
    // SAFETY: as above.
    let entries = unsafe { entries(list) };
    let of = |is_meant: &dyn Fn(&str) -> bool| {
        let Some(entries) = &entries else {
            // Without a list, everybody can do everything.
            return Allowed::Write;
        };
        let meant = entries.iter().filter(|(account, _)| is_meant(account));
        let allowed = meant.map(|(_, mask)| match mask {
            mask if mask & WRITES != 0 => Allowed::Write,
            mask if mask & READS != 0 => Allowed::Read,
            _ => Allowed::Nothing,
        });
        allowed.max().unwrap_or(Allowed::Nothing)
    };
    let is_user = |account: &str| !TRUSTED.contains(&account);
    Some(Access {
        owner: match &*owner {
            owner if owner == us => Owner::User,
            SYSTEM | ADMINISTRATORS | TRUSTED_INSTALLER => Owner::System,
            _ => Owner::Other,
        },
        others: of(&|account| is_user(account) && account != us),
        users: of(&is_user),
    })
}

/// The accounts that a list allows something, and what. `None` if there is no list.
///
/// # Safety
/// The list is null or valid.
#[allow(unsafe_code, reason = "calls of the system")]
unsafe fn entries(list: *const ACL) -> Option<Vec<(String, u32)>> {
    if list.is_null() {
        return None;
    }
    let mut entries = Vec::new();
    // SAFETY: the caller's.
    let count = unsafe { (*list).AceCount };
    for index in 0..u32::from(count) {
        let mut entry = ptr::null_mut();
        // SAFETY: the list is valid; an entry of these two types begins as ACCESS_ALLOWED_ACE.
        unsafe {
            if GetAce(list, index, &raw mut entry) == 0 {
                continue;
            }
            let header = *entry.cast::<ACE_HEADER>();
            let allows = [ACCESS_ALLOWED_ACE_TYPE, ACCESS_ALLOWED_CALLBACK_ACE_TYPE];
            if u32::from(header.AceFlags) & INHERIT_ONLY_ACE != 0
                || !allows.contains(&u32::from(header.AceType))
            {
                continue;
            }
            let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
            let account = text_of((&raw mut (*entry).SidStart).cast()).unwrap_or_default();
            entries.push((account, (*entry).Mask));
        }
    }
    Some(entries)
}

/// `S-1-…`.
///
/// # Safety
/// The identifier is valid.
#[allow(unsafe_code, reason = "a call of the system")]
unsafe fn text_of(account: PSID) -> Option<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the caller's; the text ends with NUL and is freed below.
    unsafe {
        if account.is_null() || ConvertSidToStringSidW(account, &raw mut text) == 0 {
            return None;
        }
        let _text = Local(text.cast());
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        Some(String::from_utf16_lossy(std::slice::from_raw_parts(
            text, length,
        )))
    }
}

/// The user that this process runs as.
fn user() -> Option<&'static str> {
    static USER: OnceLock<Option<String>> = OnceLock::new();
    USER.get_or_init(read_user).as_deref()
}

#[allow(unsafe_code, reason = "calls of the system")]
fn read_user() -> Option<String> {
    // Aligned, and longer than the longest identifier.
    let mut found = [0_u64; 32];
    let mut length = 0;
    let mut token = ptr::null_mut();
    // SAFETY: the buffer is of the given length, and TOKEN_USER points into it.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return None;
        }
        let read = GetTokenInformation(
            token,
            TokenUser,
            found.as_mut_ptr().cast(),
            u32::try_from(size_of_val(&found)).ok()?,
            &raw mut length,
        );
        CloseHandle(token);
        match read {
            0 => None,
            _ => text_of((*found.as_ptr().cast::<TOKEN_USER>()).User.Sid),
        }
    }
}

/// What gets an access list.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    File,
    /// Files in it inherit the list.
    Directory,
}

/// A protected access list: user, SYSTEM and administrators.
pub(super) struct Private {
    descriptor: Local,
}

impl Private {
    /// Makes the list.
    ///
    /// # Errors
    /// The user is unknown.
    #[allow(unsafe_code, reason = "a call of the system")]
    pub(super) fn list(kind: Kind) -> io::Result<Private> {
        let user = user().ok_or(io::ErrorKind::PermissionDenied)?;
        let inherits = match kind {
            Kind::File => "",
            Kind::Directory => "OICI",
        };
        let entry = |account: &str| format!("(A;{inherits};FA;;;{account})");
        let text = format!("D:P{}{}{}", entry("SY"), entry("BA"), entry(user));
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with NUL, and the descriptor is freed by `Local`.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        match made {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(Private {
                descriptor: Local(descriptor),
            }),
        }
    }

    /// For a file that is created. Valid for as long as `self`.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.descriptor.0,
            bInheritHandle: 0,
        }
    }

    /// Gives it to a file.
    ///
    /// # Errors
    /// The file's owner does not allow that.
    #[allow(unsafe_code, reason = "calls of the system")]
    pub(super) fn set(&self, path: &Path) -> io::Result<()> {
        let name = wide(path)?;
        let (mut list, mut is_present, mut is_default) = (ptr::null_mut(), 0, 0);
        // SAFETY: the descriptor is valid, and the list is a part of it.
        let status = unsafe {
            GetSecurityDescriptorDacl(
                self.descriptor.0,
                &raw mut is_present,
                &raw mut list,
                &raw mut is_default,
            );
            SetNamedSecurityInfoW(
                name.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                ptr::null_mut(),
                ptr::null_mut(),
                list,
                ptr::null(),
            )
        };
        match status {
            ERROR_SUCCESS => Ok(()),
            code => Err(io::Error::from_raw_os_error(code.cast_signed())),
        }
    }
}

/// A block of `LocalAlloc`.
struct Local(HLOCAL);

impl Drop for Local {
    #[allow(unsafe_code, reason = "a call of the system")]
    fn drop(&mut self) {
        // SAFETY: nothing else frees it.
        unsafe { LocalFree(self.0) };
    }
}
