//! What a run leaves on a host: a volume in whose making it died, which the next run makes from the
//! beginning or, when it is not wanted any more, deletes without a question; and what is forgotten.

use std::io::Write as _;

use crate::project::Project;

const DATA: &str =
    "tenant t {\n  volume data { size = 64MiB }\n  volume more { size = 64MiB }\n}\n";

const LESS: &str = "tenant t {\n  volume more { size = 64MiB }\n}\n";

const USAGE: &str = "tcloud:volume/m.pool-fast/t.volume-data";

/// Makes the volume's stamp what it is until the volume is complete.
fn cut_off(project: &Project) {
    let virsh = |arguments: &[&str]| project.hosts.virsh(1, arguments).expect("virsh");
    let secrets = virsh(&["secret-list"]);
    let line = secrets.lines().find(|line| line.contains(USAGE)).expect("a stamp");
    let uuid = line.split_whitespace().next().expect("a UUID");
    let xml = virsh(&["secret-dumpxml", uuid]);
    let cut = xml.replacen("}</description>", ",\"unfinished\":true}</description>", 1);
    assert_ne!(cut, xml);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(cut.as_bytes()).expect("written");
    virsh(&["secret-define", &file.path().display().to_string()]);
}

fn has(project: &Project, what: &str) -> bool {
    project.everything().iter().any(|own| own == what)
}

#[test]
fn what_is_half_made_is_made_anew_or_goes() {
    let project = Project::new();
    project.write("main.tcloud", DATA);
    project.run(&["apply", "--yes"], 0);
    let (volume, secret) = ("volume t.volume-data", format!("secret {USAGE}"));
    for is_there in [true, false] {
        let undo = |project: &Project| {
            cut_off(project);
            if !is_there {
                let delete = ["vol-delete", "t.volume-data", "m.pool-fast"];
                project.hosts.virsh(1, &delete).expect("no volume");
            }
        };
        undo(&project);
        project.run(&["plan", "--exit-code"], 2);
        project.run(&["apply", "--yes"], 0);
        project.run(&["plan", "--exit-code"], 0);
        assert!(has(&project, volume) && has(&project, &secret));

        undo(&project);
        project.write("main.tcloud", LESS);
        let plan = project.run(&["plan"], 0).out;
        assert!(plan.contains("delete") && plan.contains("tenant.t.volume.data"), "{plan}");
        project.run(&["apply", "--yes"], 0);
        assert!(!has(&project, volume) && !has(&project, &secret), "{:?}", project.everything());
        project.run(&["plan", "--exit-code"], 0);
        project.write("main.tcloud", DATA);
        project.run(&["apply", "--yes"], 0);
    }
}

const CALM: &str = r#"tenant t {
  volume data { size = 64MiB }
  vm calm {
    vcpus = 1
    memory = 64MiB
    firmware = "bios"
    running = false
    disk root { size = 64MiB }
    disk data { volume = volume.data }
  }
}
"#;

/// libvirt knows a volume by its stamp, and gives it no other identity: it is found by its name, when
/// the stamp has just gone.
#[test]
fn what_is_forgotten_stays_without_its_stamp() {
    let project = Project::new();
    project.write("main.tcloud", CALM);
    project.run(&["apply", "--yes"], 0);
    let is_ours = |own: &String| own.starts_with("secret tcloud:volume/");
    let mut expected = project.everything();
    expected.retain(|own| !is_ours(own));

    let addresses = ["vm.calm", "volume.data"].map(|own| format!("forget tenant.t.{own}\n"));
    project.write("main.tcloud", &format!("tenant t {{}}\n\n{}", addresses.concat()));
    project.run(&["apply", "--yes"], 0);
    assert_eq!(project.everything(), expected);
    let xml = project.hosts.virsh(1, &["dumpxml", "t.calm"]).expect("a guest");
    assert!(!xml.contains("tcloud.example/stamp"), "{xml}");
    project.run(&["plan", "--exit-code"], 0);
}
