//! What must not change on a guest now: its memory is saved, or its disks write to something else
//! than the volumes that the text names.

use tcloud_model::{AttrPath, Fields, Hold, Name, Value};

use super::directory::{Backing, Directory};
use super::guest::Guest;
use super::{disk, label};
use crate::failure::{Failure, quoted};
use crate::xml::Element;

/// What holds a guest, in its running and in its persistent definition.
pub(super) fn holds(guest: &Guest, directory: &Directory) -> Result<Vec<Hold>, Failure> {
    let name = quoted(&guest.domain.get_name()?);
    let mut holds: Vec<Hold> = Vec::new();
    if guest.saved {
        holds.push(Hold {
            path: None,
            stays: true,
            because: "its memory is saved on the host, and it would go on with what it had then"
                .to_owned(),
            help: format!(
                "start it (virsh start {name}), or give its memory up (virsh managedsave-remove {name})"
            ),
        });
    }
    for domain in [&guest.live, &guest.persistent].into_iter().flatten() {
        let devices = domain.find("devices").into_iter().flat_map(|own| own.elements("disk"));
        for disk in devices.filter(|own| disk::is_disk(own)) {
            let Some(label) = label::of_disk(disk) else { continue };
            let path = AttrPath::attribute("disk").field(label.clone()).field("volume");
            if !holds.iter().any(|hold| hold.path.as_ref() == Some(&path)) {
                let runs = domain.get("id").is_some();
                holds.extend(of_disk(disk, runs, &label, path, &name, directory));
            }
        }
    }
    Ok(holds)
}

fn of_disk(
    disk: &Element,
    runs: bool,
    label: &Name,
    path: AttrPath,
    guest: &str,
    directory: &Directory,
) -> Option<Hold> {
    let target = disk.find("target").and_then(|target| target.get("dev")).unwrap_or_default();
    let (because, help) = if disk.find("mirror").is_some() {
        (
            format!("libvirt is copying its disk {label}"),
            format!("wait, or end it: virsh blockjob {guest} {target} --pivot, or --abort"),
        )
    } else if directory.gone_under(disk).is_some() {
        // Where it does not run, nothing is left that could be lost.
        let path = Backing::of(disk).filter(|_| runs).map(|own| quoted(own.text()))?;
        (
            format!(
                "somebody has deleted {path} under its disk {label}, and what is in it goes when the \
                 guest stops"
            ),
            format!(
                "copy it while the guest runs (virsh blockcopy {guest} {target} --dest PATH --pivot), \
                 or give it up: virsh destroy {guest}"
            ),
        )
    } else {
        directory.volume_of(disk).filter(|(depth, _)| *depth > 0)?;
        let top = Backing::of(disk).map(|top| quoted(top.text())).unwrap_or_default();
        (
            format!("its disk {label} is on a snapshot, {top}"),
            format!(
                "commit the snapshot first, while the guest runs: virsh blockcommit {guest} {target} \
                 --active --pivot"
            ),
        )
    };
    Some(Hold { path: Some(path), stays: true, because, help })
}

/// Refuses a change of what is held.
pub(super) fn check(
    guest: &Guest,
    changed: &[AttrPath],
    (now, wanted): (&Fields, &Fields),
    directory: &Directory,
) -> Result<(), Failure> {
    for Hold { path, stays: _, because, help } in holds(guest, directory)? {
        let differs = |path: &AttrPath| now.at(&path.names()) != wanted.at(&path.names());
        let starts = |path: &AttrPath| {
            *path == AttrPath::attribute("running")
                && wanted.get("running") == Some(&Value::Bool(true))
        };
        let touched = match &path {
            Some(path) => differs(path),
            None => changed.iter().any(|path| differs(path) && !starts(path)),
        };
        if touched {
            let name = quoted(&guest.domain.get_name()?);
            return Failure::refused(format!("guest {name} does not change: {because}; {help}"));
        }
    }
    Ok(())
}
