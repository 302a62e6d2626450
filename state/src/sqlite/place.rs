//! Whether a directory is on a disk of this machine: on network file systems locks and the shared
//! memory of the write-ahead log are not reliable.

use std::path::Path;

/// The name of the network file system that the directory is on; `None` when it is a local one, or
/// nothing is known.
#[cfg(target_os = "linux")]
pub(super) fn network_file_system(directory: &Path) -> Option<&'static str> {
    const NAMES: [(u64, &str); 10] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x4750_4653, "GPFS"),
        (0x0bd0_0bd0, "Lustre"),
    ];
    const FUSE: u64 = 0x6573_5546;
    let facts = rustix::fs::statfs(directory).ok()?;
    #[expect(clippy::cast_sign_loss, reason = "the constant is a bit pattern of 32 bits")]
    let magic = facts.f_type as u64 & 0xffff_ffff;
    if magic == FUSE {
        let device = rustix::fs::stat(directory).ok()?.st_dev;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        return remote_fuse(&mounts, &format!("{major}:{minor}"));
    }
    NAMES.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// Elsewhere nothing is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// Which remote file system a FUSE device is, from `/proc/self/mountinfo`. Others are local.
#[cfg(target_os = "linux")]
fn remote_fuse(mounts: &str, device: &str) -> Option<&'static str> {
    const REMOTE: [(&str, &str); 8] = [
        ("fuse.sshfs", "sshfs"),
        ("fuse.s3fs", "s3fs"),
        ("fuse.rclone", "rclone"),
        ("fuse.glusterfs", "GlusterFS"),
        ("fuse.ceph-fuse", "Ceph"),
        ("fuse.davfs", "WebDAV"),
        ("fuse.gcsfuse", "gcsfuse"),
        ("fuse.smbnetfs", "SMB"),
    ];
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let kind = line.split_once(" - ")?.1.split(' ').next()?;
    REMOTE.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_is_local_and_sshfs_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(network_file_system(directory.path()), None);
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      40 22 0:52 / /mnt rw,nosuid shared:9 - fuse.sshfs a@b:/ rw\n";
        assert_eq!(remote_fuse(mounts, "0:52"), Some("sshfs"));
        assert_eq!(remote_fuse(mounts, "8:1"), None);
    }
}
