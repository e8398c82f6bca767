//! Apple's access lists: whether one of them may let other users in.
//!
//! An entry of an access list applies before the mode and is not part of it. Directories hand entries on to new files, whose
//! mode stays 0600.
//! <https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man3/acl.3.html>

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

type List = *mut c_void;
type Entry = *mut c_void;

/// As in `sys/acl.h`.
const ACL_TYPE_EXTENDED: c_int = 0x100;
const ACL_FIRST_ENTRY: c_int = 0;
const ACL_NEXT_ENTRY: c_int = -1;
const ACL_EXTENDED_ALLOW: c_int = 1;

#[allow(unsafe_code, reason = "no dependency has these calls")]
unsafe extern "C" {
    fn acl_get_link_np(path: *const c_char, kind: c_int) -> List;
    fn acl_get_entry(list: List, which: c_int, entry: *mut Entry) -> c_int;
    fn acl_get_tag_type(entry: Entry, tag: *mut c_int) -> c_int;
    fn acl_free(list: *mut c_void) -> c_int;
}

/// Whether the access list of a file allows anything to anybody. Most files have none, and home directories only the entry
/// `group:everyone deny delete`.
#[allow(unsafe_code, reason = "no dependency has these calls")]
pub(super) fn allows(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: the path ends with a NUL; the list is freed once, after its entries, which are part of it, were read.
    unsafe {
        let list = acl_get_link_np(path.as_ptr(), ACL_TYPE_EXTENDED);
        if list.is_null() {
            return false;
        }
        let mut which = ACL_FIRST_ENTRY;
        let mut allows = false;
        let mut entry: Entry = std::ptr::null_mut();
        while !allows && acl_get_entry(list, which, &raw mut entry) == 0 {
            let mut tag = 0;
            allows = acl_get_tag_type(entry, &raw mut tag) == 0 && tag == ACL_EXTENDED_ALLOW;
            which = ACL_NEXT_ENTRY;
        }
        acl_free(list);
        allows
    }
}
