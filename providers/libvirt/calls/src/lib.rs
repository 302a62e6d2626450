//! The calls of libvirt that its Rust bindings leave out, made safe, and the loop that it calls back
//! from ([`events`]). Nothing else is in this crate, so that all other crates can forbid `unsafe`.

pub mod events;

use std::ffi::{CStr, CString};
use std::ops::Deref;

use libc::{c_char, c_int, c_uint};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt::network::Network;
use virt_sys as sys;

/// A connection that ends with its owner, which the bindings leave to be said: until then the daemon
/// holds it, asks it for signs of life, and takes longer for everybody.
pub struct Connection(Connect);

impl Connection {
    /// Opens a connection to a host.
    ///
    /// # Errors
    /// What libvirt says.
    pub fn open(uri: &str) -> Result<Connection, Error> {
        Connect::open(Some(uri)).map(Connection)
    }
}

impl Deref for Connection {
    type Target = Connect;

    fn deref(&self) -> &Connect {
        &self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // One that broke has ended already.
        let _ = self.0.close();
    }
}

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

/// The definition of a guest. What sweeps spend their time with is its text: the bindings' own call
/// looks at each byte of it by itself.
///
/// # Errors
/// What libvirt says.
pub fn definition(domain: &Domain, flags: u32) -> Result<String, Error> {
    // SAFETY: the domain lives as long as the reference to it.
    let xml = unsafe { sys::virDomainGetXMLDesc(domain.as_ptr(), flags) };
    if xml.is_null() {
        return Err(Error::last_error());
    }
    let definition = text(xml);
    // SAFETY: the text is ours, and is not used any more.
    unsafe { libc::free(xml.cast()) };
    Ok(definition)
}

/// A moment in the life of a guest for which it is said what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It restarts itself.
    Reboot,
    /// It crashes.
    Crash,
}

/// Says what becomes of the running guest, and of nothing else, at a moment of its life. `action` is
/// the word of its definition: `destroy`, `restart`, `preserve`, `coredump-destroy`,
/// `coredump-restart`.
///
/// # Errors
/// What libvirt says; also when there is no such word.
pub fn set_end(domain: &Domain, moment: Moment, action: &str) -> Result<(), Error> {
    let moment = match moment {
        Moment::Reboot => sys::VIR_DOMAIN_LIFECYCLE_REBOOT,
        Moment::Crash => sys::VIR_DOMAIN_LIFECYCLE_CRASH,
    };
    let action = match action {
        "destroy" => sys::VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY,
        "restart" => sys::VIR_DOMAIN_LIFECYCLE_ACTION_RESTART,
        "preserve" => sys::VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE,
        "coredump-destroy" => sys::VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY,
        "coredump-restart" => sys::VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART,
        // libvirt refuses what is no action.
        _ => c_uint::MAX,
    };
    // SAFETY: the domain lives as long as the reference to it.
    let done = unsafe {
        sys::virDomainSetLifecycleAction(
            domain.as_ptr(),
            moment,
            action,
            sys::VIR_DOMAIN_AFFECT_LIVE as c_uint,
        )
    };
    if done < 0 { Err(Error::last_error()) } else { Ok(()) }
}

/// An address that a network has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The MAC address that it was given to, as a text.
    pub mac: String,
    /// The address, as a text.
    pub address: String,
    /// When it ends, in seconds since 1970 by the host's clock; zero for never.
    pub until: i64,
}

/// The addresses that a network has given and that have not ended.
///
/// # Errors
/// What libvirt says.
pub fn leases(network: &Network) -> Result<Vec<Lease>, Error> {
    let mut all: *mut sys::virNetworkDHCPLeasePtr = std::ptr::null_mut();
    // SAFETY: the network lives as long as the reference to it; without a MAC libvirt gives all; it
    // sets `all` to an array of its own.
    let count =
        unsafe { sys::virNetworkGetDHCPLeases(network.as_ptr(), std::ptr::null(), &mut all, 0) };
    if count < 0 {
        return Err(Error::last_error());
    }
    let Some(count) = usize::try_from(count).ok().filter(|_| !all.is_null()) else {
        return Ok(Vec::new());
    };
    // SAFETY: the array has `count` leases, and nobody changes it.
    let found = unsafe { std::slice::from_raw_parts(all, count) };
    let mut leases = Vec::with_capacity(count);
    for &pointer in found {
        // SAFETY: each of them is there until it is freed, below.
        let lease = unsafe { &*pointer };
        leases.push(Lease {
            mac: text(lease.mac),
            address: text(lease.ipaddr),
            until: lease.expirytime,
        });
        // SAFETY: it is ours, and is freed once.
        unsafe { sys::virNetworkDHCPLeaseFree(pointer) };
    }
    // SAFETY: the array itself is ours too, and is not used any more.
    unsafe { libc::free(all.cast()) };
    Ok(leases)
}

/// A text of libvirt's; empty when there is none.
fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: what libvirt gives as a text ends with a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    // Text is checked much faster than it is mended.
    match text.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => text.to_string_lossy().into_owned(),
    }
}
