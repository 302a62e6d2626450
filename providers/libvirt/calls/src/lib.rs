//! The calls of libvirt that its Rust bindings leave out, made safe. Nothing else is in this crate,
//! so that all other crates can forbid `unsafe`.

use std::ffi::{CStr, CString};

use libc::{c_char, c_int, c_uint};
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

/// Limits how many operations in a second a disk may do, in the running guest and in nothing else.
/// `disk` is its target (`vda`); zero takes the limit away.
///
/// # Errors
/// What libvirt says; also when the target cannot be a name.
pub fn limit_operations(domain: &Domain, disk: &str, operations: u64) -> Result<(), Error> {
    const LIMIT: &CStr = sys::VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC;
    // A name with a NUL is no target; libvirt says so of the empty name.
    let disk = CString::new(disk).unwrap_or_default();
    let mut parameter = sys::virTypedParameter {
        field: [0; 80],
        type_: sys::VIR_TYPED_PARAM_ULLONG as c_int,
        value: sys::_virTypedParameter__bindgen_ty_1 { ul: operations },
    };
    for (to, from) in parameter.field.iter_mut().zip(LIMIT.to_bytes()) {
        *to = *from as c_char;
    }
    // SAFETY: the domain lives as long as the reference to it; the name ends with a NUL; there is
    // one parameter, and libvirt reads it during the call only.
    let done = unsafe {
        sys::virDomainSetBlockIoTune(
            domain.as_ptr(),
            disk.as_ptr(),
            &mut parameter,
            1,
            sys::VIR_DOMAIN_AFFECT_LIVE as c_uint,
        )
    };
    if done < 0 { Err(Error::last_error()) } else { Ok(()) }
}
