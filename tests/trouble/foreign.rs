//! What others made on a host – by virt-install, and by hand at several ages – is taken over and given
//! back: nothing of it changes but the stamp, and in the end not even that.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use crate::project::Project;

/// A network of ours, which what is adopted must not change.
const OURS: &str = "tenant t {\n  network a { cidr = 10.99.0.0/24 }\n}\n";

/// Those of the corpus that this libvirt refuses by name, or whose card this QEMU does not have.
const REFUSED: [&str; 2] = ["hostile.xml", "virt-manager-windows.xml"];

fn network(name: &str, number: u8, forward: &str) -> String {
    format!(
        "<network><name>{name}</name>{forward}<bridge name='corpus{number}'/>\
         <ip address='10.9{number}.0.1' netmask='255.255.255.0'><dhcp>\
         <range start='10.9{number}.0.100' end='10.9{number}.0.150'/></dhcp></ip></network>"
    )
}

/// Has others make things. What virt-install makes has a pool and a volume.
fn make(project: &Project) {
    let hosts = &project.hosts;
    let define = |how: &str, xml: &str| hosts.define(1, how, xml).expect(xml);
    define("net-define", &network("corpus-nat", 1, "<forward mode='nat'/>"));
    define("net-define", &network("corpus-routed", 2, "<forward mode='route'/>"));
    define("net-define", &network("corpus-idle", 3, ""));
    for name in ["corpus-nat", "corpus-routed"] {
        hosts.virsh(1, &["net-start", name]).expect(name);
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/domain");
    for entry in std::fs::read_dir(&corpus).expect("the corpus") {
        let path = entry.expect("the corpus").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if !name.ends_with(".xml") || REFUSED.contains(&name) {
            continue;
        }
        define("define", &std::fs::read_to_string(&path).expect(name));
    }
    let odd = |name: &str| {
        format!(
            "<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os>\
             <features><acpi/></features><devices><graphics type='vnc' passwd='secret7'/><video/></devices></domain>"
        )
    };
    for name in ["hidden", "running", "-odd"] {
        define("define", &odd(name));
    }
    hosts.virsh(1, &["start", "running"]).expect("it runs");
    hosts.exec(1, &["mkdir", "/srv/installed"]).expect("a directory");
    let install = "virt-install --connect qemu:///system --virt-type qemu --name installed --memory 64 \
                   --osinfo detect=off,require=off --import --disk path=/srv/installed/a.qcow2,size=0.1 \
                   --network network=corpus-nat --graphics none --noautoconsole --noreboot";
    hosts.exec(1, &install.split_whitespace().collect::<Vec<_>>()).expect("virt-install");
    hosts.virsh(1, &["destroy", "installed"]).ok();
}

/// The definitions of everything that others made, as virsh shows them to who may see all.
fn everything(project: &Project) -> BTreeMap<String, String> {
    let virsh = |arguments: &[&str]| project.hosts.virsh(1, arguments).expect("virsh");
    let names = |list: &[&str]| -> Vec<String> {
        virsh(list)
            .lines()
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut all = BTreeMap::new();
    for name in names(&["list", "--all", "--name"]) {
        let dump = ["dumpxml", "--security-info", "--inactive", "--", &name];
        all.insert(format!("domain {name}"), virsh(&dump));
    }
    all.insert("the running domain".to_owned(), virsh(&["dumpxml", "running"]));
    for name in names(&["net-list", "--all", "--name"]) {
        if name.starts_with("corpus") {
            all.insert(format!("network {name}"), virsh(&["net-dumpxml", "--inactive", &name]));
        }
    }
    all.insert("pool".to_owned(), virsh(&["pool-dumpxml", "--inactive", "installed"]));
    all
}

/// The same without our stamps and words, which stand in elements of their own.
fn without_stamps(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let plain = all.iter().map(|(name, xml)| {
        let lines: Vec<&str> = xml.lines().filter(|line| !line.contains("<tcloud:")).collect();
        (name.clone(), lines.join("\n").replace("  <metadata>\n  </metadata>\n", ""))
    });
    plain.collect()
}

fn is_guest(line: &str) -> bool {
    line.trim_start().starts_with("vm ")
}

/// The text with another title for every guest.
fn titled(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("title = "));
    let line =
        |line| format!("{line}\n{}", if is_guest(line) { "title = \"renamed\"\n" } else { "" });
    lines.map(line).collect()
}

/// Every line of it but our own and the titles, sorted: when libvirt reads a definition again, it puts
/// some controllers elsewhere.
fn lines(all: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let lines = |(name, xml): (String, String)| {
        let lines = xml.lines().filter(|line| !line.trim_start().starts_with("<title>"));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        (name, lines)
    };
    without_stamps(all).into_iter().map(lines).collect()
}

#[test]
fn what_others_made_is_the_same_but_for_its_stamp() {
    let project = Project::new();
    project.write("main.tcloud", OURS);
    project.run(&["apply", "--yes"], 0);
    make(&project);
    let before = everything(&project);
    assert!(before["domain hidden"].contains("secret7"), "{}", before["domain hidden"]);

    let told = project.run(&["adopt", "kvm1"], 0).err;
    assert!(told.contains("left out: vm \"-odd\""), "{told}");
    assert_eq!(everything(&project), before, "adopt only looks");
    let plan: Json = serde_json::from_str(&project.run(&["plan", "--json"], 0).out).expect("JSON");
    let changes = plan["changes"].as_array().expect("changes");
    // The running guest is seen twice, and the odd one stays as it is.
    assert!(changes.len() >= before.len() - 2, "{changes:#?}");
    for change in changes {
        let none = change["attributes"].as_array().is_some_and(Vec::is_empty);
        assert!(change["action"] == "adopt" && change["impact"] == "none" && none, "{change:#}");
    }
    project.run(&["apply", "--yes"], 0);
    let adopted = everything(&project);
    assert_eq!(without_stamps(&adopted), without_stamps(&before));
    let stamped = adopted.values().filter(|xml| xml.contains("<tcloud:stamp")).count();
    assert!(
        stamped >= before.len() - 3,
        "all but the pool, the odd guest, and the one that runs without metadata"
    );
    project.run(&["plan", "--exit-code"], 0);
    let drift = project.run(&["drift"], 0).out;
    assert!(drift.contains("Nothing was changed by hand"), "{drift}");

    // What changes later leaves the rest as it is, and can be taken back.
    let file = "adopted-kvm1.tcloud";
    let own = project.take(file);
    project.write(file, &titled(&own));
    project.run(&["apply", "--yes"], 0);
    let changed = everything(&project);
    let renamed = changed.values().filter(|xml| xml.contains("<title>renamed</title>")).count();
    let guests = own.lines().filter(|line| is_guest(line)).count();
    assert_eq!(renamed, guests + 1, "the one that runs twice");
    assert_eq!(lines(&changed), lines(&before));
    project.write(file, &own);
    project.run(&["apply", "--yes"], 0);
    assert!(!everything(&project).values().any(|xml| xml.contains("<title>renamed")));

    let mut text = OURS.to_owned();
    for file in ["adopted-kvm1.tcloud", "adopted-kvm1-pools.tcloud"] {
        let own = project.take(file);
        let addresses =
            own.lines().filter_map(|line| line.strip_prefix("adopt ")?.split(' ').next());
        text.extend(addresses.map(|address| format!("forget {address}\n")));
    }
    project.write("main.tcloud", &text);
    project.run(&["apply", "--yes"], 0);
    let back = everything(&project);
    assert!(!back.values().any(|xml| xml.contains("<tcloud:stamp")), "{back:#?}");
    assert_eq!(lines(&back), lines(&before), "given back");
}
