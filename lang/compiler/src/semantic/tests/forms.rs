//! Where things lie and come from, and attributes that fit beside each other.

use super::*;

#[test]
fn images_and_pools_are_where_every_provider_finds_them() {
    let text = |value: &str| Value::text(value);
    let pool = |kind: &str, path: &str, source: &str| {
        [("type", text(kind)), ("path", text(path)), ("source", text(source))]
    };
    let image = |source: &str| [("source", text(source))];
    let relative = "the path of pool `p` is not absolute";
    let from = |kind: &str, source: &str| {
        format!("E0232 site.m.pool.p.source: pool `p` of type {kind} cannot come from \"{source}\"")
    };
    for (kind, path, source, says) in [
        ("dir", "/srv/p", "whatever", None),
        ("dir", "srv/p", "", Some(format!("E0232 site.m.pool.p.path: {relative}"))),
        ("dir", "/srv/../etc", "", Some(format!("E0232 site.m.pool.p.path: {relative}"))),
        ("nfs", "/srv/p", "nas:/export", None),
        ("nfs", "/srv/p", "[fd00::1]:/export", None),
        ("nfs", "/srv/p", "nas", Some(from("nfs", "nas"))),
        ("nfs", "/srv/p", "-o:/export", Some(from("nfs", "-o:/export"))),
        ("lvm", "/dev/vg0", "vg0", None),
        ("lvm", "/dev/vg0", "/dev/vg0", Some(from("lvm", "/dev/vg0"))),
        ("rbd", "/", "mon-1,mon-2:volumes", None),
        ("rbd", "/", "mon-1,:volumes", Some(from("rbd", "mon-1,:volumes"))),
        ("rbd", "/", "volumes", Some(from("rbd", "volumes"))),
    ] {
        let site = Text::default().with("site.m", &[]);
        let says: Vec<&str> = says.as_deref().into_iter().collect();
        site.with("site.m.pool.p", &pool(kind, path, source)).says(&says);
    }
    for right in ["https://a.example/x.qcow2", "file:/srv/x.qcow2", "https://[fd00::1]:8443/x"] {
        Text::default().with("image.i", &image(right)).says(&[]);
    }
    for wrong in ["http://a/x", "x.qcow2", "file:x.qcow2", "https:///x", "https://me:pw@a/x", ""] {
        Text::default()
            .with("image.i", &image(wrong))
            .says(&["E0232 image.i.source: image `i` cannot come from there"]);
    }
}

#[test]
fn what_has_no_meaning_beside_another_attribute_is_told() {
    let mode = |mode: &str, other: (&'static str, Value)| [("mode", Value::text(mode)), other];
    Text::default()
        .with("site.m", &[])
        .with("site.m.pool.group", &[("type", Value::text("lvm")), ("source", Value::text("vg0"))])
        .with("tenant.t", &[])
        .with("tenant.t.network.a", &mode("bridge", ("bridge", Value::text("br0"))))
        .with("tenant.t.network.b", &mode("nat", ("bridge", Value::text("br0"))))
        .with("tenant.t.network.c", &mode("routed", ("vlan", Value::Int(7))))
        .with("tenant.t.network.d", &mode("nat", ("cidr6", cidr("10.1.0.0/24"))))
        .with("tenant.t.network.e", &mode("nat", ("cidr", cidr("fd00::/64"))))
        .with(
            "tenant.t.volume.v",
            &[("pool", to("site.m.pool.group")), ("format", Value::text("qcow2"))],
        )
        .with(
            "tenant.t.volume.w",
            &[("pool", to("site.m.pool.group")), ("format", Value::text("raw"))],
        )
        .says(&[
            "E0518 tenant.t.network.b.bridge: network `b` has a `bridge`, and its mode is `nat` | \
             tenant.t.network.b.mode",
            "E0518 tenant.t.network.c.vlan: network `c` has a `vlan`, and its mode is `routed` | \
             tenant.t.network.c.mode",
            "E0518 tenant.t.network.d.cidr6: `cidr6` of network `d` is 10.1.0.0/24, which is not IPv6",
            "E0518 tenant.t.volume.v.format: volume.v is qcow2, and pool `group` of type lvm holds no \
             files | site.m.pool.group.type",
        ]);
}
