//! Definitions and what they mean. libvirt itself is asked in the tests on real hosts; here its
//! schema is.

use std::process::Command;

use tcloud_model::{Fields, Identity, Name, Value};
use uuid::Uuid;

use super::*;
use crate::xml::Element;

const WEB: &str = r#"{"vcpus":2,"max_vcpus":4,"memory":{"$bytes":1073741824},
    "max_memory":{"$bytes":4294967296},"firmware":"uefi","secure_boot":true,"tpm":true,
    "machine":"q35","cpu_mode":"host-model","title":"The <web> & more",
    "boot":{"order":["disk","network"],"kernel":"/boot/k","initrd":"/boot/i","cmdline":"a=\"b\""},
    "disk":{"root":{"volume":{"$ref":"tenant.t.vm.web.disk.root"},"bus":"virtio","iops":1000},
    "archive":{"volume":{"$ref":"tenant.t.volume.archive"},"bus":"scsi"}},
    "nic":{"office":{"network":{"$ref":"tenant.t.network.office"},
    "address":{"$ip":"10.20.0.10"},"mac":{"$mac":"52:54:00:c0:f0:01"},"filter":true,"model":"virtio",
    "max_rate":{"$rate":1000000001}}},"stop_within":{"$duration":5000}}"#;

fn fields(json: &str) -> Fields {
    serde_json::from_str(json).expect(json)
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    for (address, backing) in [
        ("tenant.t.vm.web.disk.root", Backing::File("/pool/t.web.disk-root".to_owned())),
        ("tenant.t.volume.archive", Backing::Block("/dev/vg/t.volume-archive".to_owned())),
        (
            "tenant.t.volume.far",
            Backing::Volume { pool: "ceph".to_owned(), volume: "far".to_owned() },
        ),
    ] {
        let source = Source { backing, format: Format::Qcow2 };
        directory.add_volume(address.parse().expect(address), source);
    }
    for (address, name) in
        [("tenant.t.network.office", "t.network-office"), ("tenant.t.network.lab", "t.network-lab")]
    {
        directory.add_network(address.parse().expect(address), name.to_owned());
    }
    directory
}

/// A context, for the length of a call.
fn with<T>(accel: Accel, call: impl FnOnce(&Context<'_>) -> T) -> T {
    let identity = Identity { uuid: Uuid::from_u128(7), name: Name::new("t.web") };
    let seed = Source { backing: Backing::File("/pool/seed".to_owned()), format: Format::Raw };
    call(&Context {
        identity: &identity,
        accel,
        has_uefi: true,
        has_tpm: true,
        console_log: "/var/log/libvirt/qemu/t.web.console.log".to_owned(),
        directory: &directory(),
        seed: Some(&seed),
    })
}

fn made(json: &str, accel: Accel) -> Element {
    with(accel, |context| define(None, &fields(json), context)).expect(json)
}

fn meaning(domain: &Element) -> Fields {
    definition(domain, &directory())
}

/// Libvirt's own schema has nothing against the definition.
fn validate(domain: &Element) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), domain.to_string()).expect("a file");
    let answer = Command::new("virt-xml-validate").arg(file.path()).arg("domain").output();
    let answer = answer.expect("virt-xml-validate runs");
    assert!(answer.status.success(), "{}\n{domain}", String::from_utf8_lossy(&answer.stderr));
}

fn changed(name: &str, value: Value) -> Fields {
    let mut all = fields(WEB);
    all.insert(name, value);
    all
}

#[test]
fn a_new_definition_means_what_was_asked() {
    for accel in [Accel::Kvm, Accel::Tcg] {
        let domain = made(WEB, accel);
        validate(&domain);
        let asked = fields(WEB);
        let read = meaning(&domain);
        for (name, value) in asked.iter() {
            assert_eq!(read.get(name), Some(value), "{name}");
        }
    }
}

#[test]
fn what_people_write_is_text_and_never_elements() {
    for trap in [
        "]]>",
        "<!-- x",
        "--> <x/>",
        "&#0; &amp; &lt;",
        "</description><devices><hostdev mode='subsystem'/></devices><description>",
        "<![CDATA[ x",
        "<?xml version='1.0'?>",
        "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/shadow'>]>&y;",
        "\u{85}\u{2028}\u{fffd} ä 😀",
        "'\"",
        " not trimmed ",
    ] {
        let mut asked = changed("description", Value::text(trap));
        asked.insert("title", Value::text(trap));
        let domain = with(Accel::Tcg, |context| define(None, &asked, context)).expect(trap);
        validate(&domain);
        let written = domain.write().expect(trap);
        let read = Element::parse(&written).expect(trap);
        assert_eq!(read.find("devices").map(|own| own.elements("hostdev").count()), Some(0));
        let meant = meaning(&read);
        assert_eq!((meant.text("title"), meant.text("description")), (Some(trap), Some(trap)));
    }
    for character in ['\0', '\u{1b}', '\u{fffe}', '\u{ffff}'] {
        let asked = changed("description", Value::text(&format!("a{character}b")));
        let domain = with(Accel::Tcg, |context| define(None, &asked, context)).expect("elements");
        assert!(domain.write().is_err(), "{character:?} cannot be written");
    }
}

/// Nobody guesses what a disk is from what its guest wrote to it.
#[test]
fn every_disk_says_its_format() {
    let domain = made(WEB, Accel::Tcg);
    let disks: Vec<&Element> = domain.find("devices").expect("devices").elements("disk").collect();
    assert_eq!(disks.len(), 3, "two and the seed");
    for disk in disks {
        let format = disk.find("driver").and_then(|driver| driver.get("type"));
        assert!(matches!(format, Some("qcow2" | "raw")), "{disk}");
    }
}

#[test]
fn what_is_as_wanted_is_left_exactly_as_it_is() {
    let domain = made(WEB, Accel::Tcg);
    let again = with(Accel::Kvm, |context| define(Some(&domain), &fields(WEB), context));
    assert_eq!(again.expect("a definition"), domain);
}

#[test]
fn what_others_wrote_stays() {
    let foreign = r#"<domain type='kvm'><name>old</name><uuid>00000000-0000-0000-0000-000000000007</uuid>
        <metadata><app:x xmlns:app="urn:app">kept</app:x></metadata>
        <memory unit='GiB'>1</memory><vcpu>2</vcpu>
        <os><type arch='x86_64' machine='pc-i440fx-2.11'>hvm</type><boot dev='hd'/></os>
        <features><acpi/><hyperv><relaxed state='on'/></hyperv></features>
        <devices><emulator>/usr/bin/kvm</emulator>
        <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>
        <source file='/srv/old.qcow2'/><target dev='hda' bus='ide'/></disk>
        <interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/>
        <model type='e1000'/></interface><sound model='ich6'/></devices></domain>"#;
    let foreign = Element::parse(foreign).expect("XML");
    let now = meaning(&foreign);
    assert_eq!(now.text("machine"), Some("pc"));
    assert_eq!(now.map("disk").and_then(|all| all.map("hda")?.text("bus")), Some("ide"));
    let same = with(Accel::Kvm, |context| define(Some(&foreign), &now, context));
    assert_eq!(same.expect("a definition"), foreign);
    let mut more = now;
    more.insert("memory", Value::Bytes(2 << 30));
    let grown = with(Accel::Kvm, |context| define(Some(&foreign), &more, context)).expect("XML");
    validate(&grown);
    let mut stripped = grown.clone();
    for name in ["memory", "currentMemory"] {
        assert_eq!(grown.content_at(name).as_deref(), Some("2097152"));
        stripped.remove(name);
    }
    let text = stripped.to_string();
    for kept in ["kept", "hyperv", "cache=\"none\"", "/srv/old.qcow2", "e1000", "ich6", "br0"] {
        assert!(text.contains(kept), "{kept} is gone: {text}");
    }
}

/// How memory is shared and dumped, and how vCPUs are arranged, has no word: a size is changed in place.
#[test]
fn another_size_leaves_what_has_no_word() {
    let foreign = r#"<domain type='kvm'><name>old</name>
        <uuid>00000000-0000-0000-0000-000000000007</uuid>
        <maxMemory slots='8' unit='GiB'>8</maxMemory><memory unit='GiB' dumpCore='off'>4</memory>
        <currentMemory unit='GiB'>2</currentMemory>
        <vcpu placement='static' cpuset='0-1' current='2'>4</vcpu>
        <vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>
        <vcpu id='1' enabled='yes' hotpluggable='no' order='2'/>
        <vcpu id='2' enabled='no' hotpluggable='yes'/>
        <vcpu id='3' enabled='no' hotpluggable='yes'/></vcpus>
        <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
        <cpu mode='host-model'><topology sockets='1' cores='4' threads='1'/>
        <numa><cell id='0' cpus='0-3' memory='3' unit='GiB' memAccess='shared' discard='yes'/></numa>
        </cpu><devices><memory model='dimm' discard='yes'><target><size unit='GiB'>1</size>
        <node>0</node></target></memory></devices></domain>"#;
    let foreign = Element::parse(foreign).expect("XML");
    let now = meaning(&foreign);
    let with_changes = |changes: &[(&str, Value)]| {
        let mut wanted = now.clone();
        for (name, value) in changes {
            wanted.insert(*name, value.clone());
        }
        let next = with(Accel::Kvm, |context| define(Some(&foreign), &wanted, context));
        let next = next.expect("a definition");
        validate(&next);
        assert_eq!(meaning(&next), wanted, "{next}");
        next
    };
    let same = |next: &Element, places: &[&str]| {
        for place in places {
            assert_eq!(next.find(place), foreign.find(place), "{place}");
        }
    };
    let cell = |next: &Element, name: &str| {
        next.find("cpu/numa/cell").and_then(|own| own.get(name)).map(str::to_owned)
    };
    let grown = with_changes(&[("memory", Value::Bytes(6 << 30))]);
    same(&grown, &["vcpu", "vcpus", "cpu/topology", "devices/memory", "currentMemory"]);
    assert_eq!(grown.find("memory").and_then(|own| own.get("dumpCore")), Some("off"));
    assert_eq!(grown.find("maxMemory").and_then(|own| own.get("slots")), Some("8"));
    assert_eq!(cell(&grown, "memory").as_deref(), Some("5242880"), "without the module");
    assert_eq!(cell(&grown, "memAccess").as_deref(), Some("shared"));
    let full = with_changes(&[("memory", Value::Bytes(8 << 30))]);
    assert_eq!(cell(&full, "memAccess").as_deref(), Some("shared"));
    let busy = with_changes(&[("vcpus", Value::Int(3))]);
    same(&busy, &["memory", "maxMemory", "currentMemory", "cpu", "devices"]);
    assert_eq!(busy.find("vcpu").and_then(|own| own.get("cpuset")), Some("0-1"));
    let each = busy.find("vcpus").expect("each").elements("vcpu");
    let each: Vec<_> = each.map(|own| (own.get("enabled"), own.get("hotpluggable"))).collect();
    let runs = (Some("yes"), Some("no"));
    assert_eq!(each, [runs, runs, (Some("yes"), Some("yes")), (Some("no"), Some("yes"))]);
    let wide = with_changes(&[("max_vcpus", Value::Int(6))]);
    same(&wide, &["memory", "maxMemory", "currentMemory", "devices"]);
    let topology = wide.find("cpu/topology").expect("a topology");
    assert_eq!((topology.get("sockets"), topology.get("cores")), (Some("1"), Some("6")));
    assert_eq!(cell(&wide, "cpus").as_deref(), Some("0-5"));
    assert_eq!(wide.find("vcpus").map(|own| own.elements("vcpu").count()), Some(6));
    let small = Value::Bytes(1 << 30);
    let mut wanted = now.clone();
    wanted.insert("memory", small);
    let refused = with(Accel::Kvm, |context| define(Some(&foreign), &wanted, context));
    assert_eq!(refused, Err(DefineError::Modules(1 << 30)));
    let told = kept::kept(&foreign, true);
    assert!(told.iter().any(|own| own.contains("memAccess")), "{told:?}");
}

#[test]
fn every_change_is_read_back() {
    let changes = [
        ("vcpus", Value::Int(3)),
        ("max_vcpus", Value::Int(8)),
        ("memory", Value::Bytes(2 << 30)),
        ("max_memory", Value::Bytes(8 << 30)),
        ("memory", Value::Bytes(1_500_000_000)),
        ("tpm", Value::Bool(false)),
        ("secure_boot", Value::Bool(false)),
        ("cpu_mode", Value::text("maximum")),
        ("title", Value::text("other")),
        ("description", Value::text("]]> <!-- &#0;")),
        ("boot", Value::map(fields(r#"{"order":["network"]}"#))),
        ("boot", Value::map(fields(r#"{"order":["disk"]}"#))),
        (
            "disk",
            Value::map(fields(
                r#"{"root":{"volume":{"$ref":"tenant.t.volume.far"},"bus":"scsi"}}"#,
            )),
        ),
        ("nic", Value::map(Fields::new())),
        (
            "nic",
            Value::map(fields(
                r#"{"office":{"network":{"$ref":"tenant.t.network.lab"},
            "mac":{"$mac":"52:54:00:c0:f0:02"},"filter":true,"model":"e1000e"},"two":{"filter":true,"model":"virtio",
            "network":{"$ref":"tenant.t.network.lab"},"mac":{"$mac":"52:54:00:c0:f0:03"}}}"#,
            )),
        ),
    ];
    for accel in [Accel::Kvm, Accel::Tcg] {
        let domain = made(WEB, accel);
        for (name, value) in changes.clone() {
            let wanted = changed(name, value);
            let edited = with(accel, |context| define(Some(&domain), &wanted, context));
            let edited = edited.expect(name);
            validate(&edited);
            assert_eq!(meaning(&edited), wanted, "{name}: {edited}");
            let back = with(accel, |context| define(Some(&edited), &fields(WEB), context));
            assert_eq!(meaning(&back.expect(name)), fields(WEB), "{name}");
        }
    }
}

#[test]
fn another_board_forgets_the_places_of_devices() {
    let mut wanted = changed("machine", Value::text("pc"));
    wanted.insert("secure_boot", Value::Bool(false));
    let domain = made(WEB, Accel::Kvm);
    let pc = with(Accel::Kvm, |context| define(Some(&domain), &wanted, context)).expect("XML");
    validate(&pc);
    assert!(!pc.to_string().contains("pcie"), "{pc}");
    let back = with(Accel::Kvm, |context| define(Some(&pc), &fields(WEB), context)).expect("XML");
    let ports = back.find("devices").expect("devices").elements("controller");
    let ports = ports.filter(|own| own.get("model") == Some("pcie-root-port")).count();
    assert_eq!(ports, 5 + 3 + 8);
}

#[test]
fn the_system_disk_is_the_first_one() {
    let domain = made(WEB, Accel::Kvm);
    let mut disks = domain.find("devices").expect("devices").elements("disk");
    let first = disks.find(|own| own.get("device") == Some("disk")).expect("a disk");
    assert_eq!(label::of_disk(first).as_deref(), Some("root"));
    assert_eq!(first.find("target").and_then(|own| own.get("dev")), Some("vda"));
    assert_eq!(first.content_at("serial").as_deref(), Some("root"));
}

#[test]
fn what_a_host_lacks_is_said() {
    let lacks = |json: Fields, uefi, tpm| {
        with(Accel::Kvm, |context| {
            let context = Context { has_uefi: uefi, has_tpm: tpm, ..context.clone() };
            define(None, &json, &context).expect_err("it lacks something").to_string()
        })
    };
    assert!(lacks(fields(WEB), false, true).contains("ovmf"));
    assert!(lacks(fields(WEB), true, false).contains("swtpm"));
    let bios = changed("firmware", Value::text("bios"));
    assert!(lacks(bios, true, true).contains("secure_boot"));
    let few = changed("max_vcpus", Value::Int(1));
    assert_eq!(lacks(few, true, true), "vcpus is more than max_vcpus");
    let gone =
        changed("disk", Value::map(fields(r#"{"a":{"volume":{"$ref":"tenant.t.volume.gone"}}}"#)));
    assert!(lacks(gone, true, true).contains("tenant.t.volume.gone"));
}

#[test]
fn both_definitions_are_read() {
    let persistent = made(WEB, Accel::Kvm);
    let live = with(Accel::Kvm, |context| {
        define(Some(&persistent), &changed("title", Value::text("old")), context)
    });
    let mut live = live.expect("XML");
    live.set("id", 4);
    // A running guest's definition names the model that was found.
    let cpu = live.find_mut("cpu").expect("a CPU");
    cpu.set("mode", "custom");
    let read = |live: Option<&Element>, persistent: Option<&Element>| {
        let definitions = Definitions { live, persistent, autostart: true, executing: true };
        read(&definitions, &directory())
    };
    let both = read(Some(&live), Some(&persistent));
    assert_eq!(both.attributes.text("title"), Some("old"));
    assert_eq!(*both.pending, fields(r#"{"title":"The <web> & more"}"#));
    assert_eq!(both.attributes.flag("running"), Some(true));
    assert_eq!(both.attributes.get("description"), Some(&Value::None));
    let stopped = read(None, Some(&persistent));
    assert_eq!(stopped.attributes.flag("running"), Some(false));
    assert!(stopped.pending.is_empty());
    let archive = both.attributes.map("disk").and_then(|all| all.map("archive"));
    assert_eq!(archive.and_then(|disk| disk.get("iops")), Some(&Value::None));
}

#[test]
fn guests_of_ours_hold_nothing_that_their_attributes_do_not_say() {
    for accel in [Accel::Kvm, Accel::Tcg] {
        assert_eq!(kept::kept(&made(WEB, accel), false), Vec::<String>::new());
    }
}

/// All attributes of the block of our own, none of them as it is without it.
const BLOCK: &str = r#"{"machine_type":"pc-q35-7.2","boot_menu":true,"cpus":{"$range":[0,3]},
    "hugepages":true,"balloon":false,"clock":"localtime","watchdog":"poweroff","video":"virtio",
    "graphics":"vnc","tablet":true,"sound":"ich9","on_reboot":"destroy","on_crash":"preserve",
    "raw_xml":"<devices><panic model='isa'/></devices><qemu:commandline><qemu:arg value='-v'/></qemu:commandline>"}"#;

fn with_block(block: Value) -> Element {
    let wanted = changed("libvirt", block);
    let domain = with(Accel::Kvm, |context| define(None, &wanted, context)).expect("a definition");
    validate(&domain);
    domain
}

fn own_block(domain: &Element) -> Fields {
    extension::read(domain)
}

#[test]
fn what_only_libvirt_has_is_read_as_it_was_written() {
    let domain = with_block(Value::map(fields(BLOCK)));
    assert_eq!(own_block(&domain), fields(BLOCK));
    assert_eq!(kept::kept(&domain, false), kept::kept(&made(WEB, Accel::Kvm), false));
    let again = changed("libvirt", Value::map(fields(BLOCK)));
    let again = with(Accel::Kvm, |context| define(Some(&domain), &again, context));
    assert_eq!(again.expect("a definition"), domain);
}

#[test]
fn without_its_block_a_guest_is_as_others_are() {
    let domain = with_block(Value::map(fields(BLOCK)));
    let plain = with(Accel::Kvm, |context| define(Some(&domain), &fields(WEB), context));
    let plain = plain.expect("a definition");
    validate(&plain);
    assert_eq!(own_block(&plain), own_block(&made(WEB, Accel::Kvm)));
    assert_eq!(meaning(&plain), meaning(&made(WEB, Accel::Kvm)));
    assert!(meaning(&plain).get("libvirt").is_none());
}

#[test]
fn what_has_no_word_is_not_read_and_stays() {
    let mut domain = made(WEB, Accel::Kvm);
    let screen = Element::new("graphics").attr("type", "vnc").attr("listen", "0.0.0.0");
    let clock = Element::new("clock").attr("offset", "variable").attr("adjustment", "7200");
    domain.find_mut("devices").expect("devices").push(screen.attr("autoport", "yes"));
    domain.put(clock);
    let block = own_block(&domain);
    assert_eq!((block.get("graphics"), block.get("clock")), (None, None));
    let mut wanted = fields(WEB);
    wanted.insert("libvirt", Value::map(fields(r#"{"watchdog":"reset"}"#)));
    let next = with(Accel::Kvm, |context| define(Some(&domain), &wanted, context));
    let next = next.expect("a definition");
    assert!(next.find("devices/graphics").is_some_and(|own| own.get("listen") == Some("0.0.0.0")));
    assert!(next.find("clock").is_some_and(|own| own.get("offset") == Some("variable")));
    assert!(next.find("devices/watchdog").is_some());
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (block, error) in [
        (r#"{"graphics":"vnc"}"#, DefineError::NoCard),
        (r#"{"machine_type":"q35"}"#, DefineError::NoVersion),
        (r#"{"machine_type":"pc-i440fx-7.2"}"#, DefineError::NoVersion),
    ] {
        let wanted = changed("libvirt", Value::map(fields(block)));
        let refused = with(Accel::Kvm, |context| define(None, &wanted, context));
        assert_eq!(refused, Err(error), "{block}");
    }
}

#[test]
fn raw_xml_comes_and_goes_whole_and_is_missed_when_it_is_gone() {
    let mut domain = with_block(Value::map(fields(BLOCK)));
    // libvirt writes more into it than was asked.
    let devices = domain.find_mut("devices").expect("devices");
    devices.find_mut("panic").expect("a panic").push(Element::new("address").attr("type", "isa"));
    assert_eq!(own_block(&domain), fields(BLOCK));
    domain.find_mut("devices").expect("devices").remove("panic");
    let left = r#"<qemu:commandline><qemu:arg value="-v"/></qemu:commandline>"#;
    assert_eq!(own_block(&domain).text("raw_xml"), Some(left));
    let back = changed("libvirt", Value::map(fields(BLOCK)));
    let back = with(Accel::Kvm, |context| define(Some(&domain), &back, context));
    let back = back.expect("a definition");
    assert!(back.find("devices/panic").is_some());
    assert_eq!(back.elements("qemu:commandline").count(), 1);
    let wanted = changed("libvirt", Value::map(fields(r#"{"raw_xml":"<name>other</name>"}"#)));
    let refused = with(Accel::Kvm, |context| define(None, &wanted, context));
    assert!(matches!(refused, Err(DefineError::Raw(_))), "{refused:?}");
}

/// On a full board what is added waits for the next start, in the order in which it would be plugged.
#[test]
fn without_room_a_device_waits() {
    let mut persistent = made(WEB, Accel::Kvm);
    // As libvirt starts it, with one free port and one free slot for memory.
    let devices = persistent.find_mut("devices").expect("devices");
    devices.retain(|own| own.get("type") != Some("pci"));
    let port = |index: u32| {
        let port = Element::new("controller").attr("type", "pci").attr("index", index);
        port.attr("model", if index == 0 { "pcie-root" } else { "pcie-root-port" })
    };
    let mut live = persistent.clone();
    live.find_mut("devices")
        .expect("devices")
        .children
        .extend([port(0), port(1)].map(crate::xml::Node::Element));
    let full = live.find_mut("maxMemory").expect("more memory");
    full.set("slots", 0);
    let wanted = |json: &str| {
        let mut wanted = fields(WEB);
        let mut disks = (**wanted.map("disk").expect("disks")).clone();
        for (name, value) in fields(json).iter() {
            disks.insert(name.clone(), value.clone());
        }
        wanted.insert("disk", Value::map(disks));
        wanted.insert("memory", Value::Bytes(2 << 30));
        wanted
    };
    let wanted = wanted(
        r#"{"a":{"volume":{"$ref":"tenant.t.volume.far"},"bus":"virtio"},
        "b":{"volume":{"$ref":"tenant.t.volume.far"},"bus":"virtio"},
        "c":{"volume":{"$ref":"tenant.t.volume.far"},"bus":"scsi"}}"#,
    );
    let asked = ["disk.a", "disk.b", "disk.c", "memory"].map(tcloud_model::AttrPath::parse);
    let planned = |live: &Element| {
        with(Accel::Kvm, |context| {
            let next = define(Some(&persistent), &wanted, context).expect("a definition");
            let change = Change { live, next: &next, wanted: &wanted, changed: &asked };
            let all = steps(&change, context).expect("steps");
            all.iter().map(|own| own.path.to_string()).collect::<Vec<_>>()
        })
    };
    assert_eq!(planned(&live), ["disk.a", "disk.c"]);
    live.find_mut("devices").expect("devices").push(port(2));
    live.find_mut("maxMemory").expect("more memory").set("slots", 1);
    assert_eq!(planned(&live), ["memory", "disk.a", "disk.b", "disk.c"]);
}
