//! How many cores a machine has changes nothing but the time.

use std::fmt::Write as _;
use std::process::{Command, Output};

use crate::project::Project;

/// Enough for every part of the work to be shared out.
const TENANTS: usize = 180;

fn many(vm: &str) -> String {
    let mut text = String::from(
        "site s {
  host one { provider = \"sim\", capacity { vcpus = 9_000, memory = 900TiB } }
  host two { provider = \"sim\", capacity { vcpus = 9_000, memory = 900TiB } }
  pool p { type = \"dir\", path = \"/srv/p\", capacity = 900TiB }
}
",
    );
    for n in 0..TENANTS {
        let _ = writeln!(
            text,
            "tenant t{n} {{
  network lan {{ cidr = 10.0.{n}.0/24 }}
  volume data {{ size = 1GiB }}
  vm app {{
    {vm}
    memory = 1GiB
    disk data {{ volume = volume.data }}
    nic lan {{ network = network.lan }}
  }}
  let own = [vm.app.nic.lan.address, vm.app.nic.lan.address]
  output address: Ip = own[0]
}}"
        );
    }
    // What is known only late, across all of the text.
    let last = TENANTS - 1;
    let _ = writeln!(
        text,
        "let ends = [tenant.t0.vm.app.nic.lan.address, tenant.t{last}.vm.app.nic.lan.address]
output last: Ip = ends[1]
check apart {{ assert ends[0] != ends[1], \"two guests share an address\" }}"
    );
    text
}

/// Runs a command that has only one core, the first that this process may use.
fn on_one_core(project: &Project, arguments: &[&str]) -> Output {
    let own = std::fs::read_to_string("/proc/self/status").expect("the cores that may be used");
    let cores = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cores = cores.expect("a line about cores").trim();
    let first = cores.split([',', '-']).next().expect("a core");
    let command = project.command(arguments);
    Command::new("taskset")
        .args(["-c", first])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(project.path())
        .env_remove("TCLOUD_STATE")
        .output()
        .expect("taskset runs")
}

fn assert_alike(project: &Project, arguments: &[&str], code: i32) {
    let one = on_one_core(project, arguments);
    let all = project.command(arguments).output().expect("tcloud runs");
    assert_eq!(one.status.code(), Some(code), "{}", String::from_utf8_lossy(&one.stderr));
    assert!(one == all, "{arguments:?} differs");
}

#[test]
fn a_plan_is_the_same_on_one_core_and_on_all() {
    let project = Project::with(many("vcpus = 1"));
    assert_alike(&project, &["plan", "--json"], 0);
    assert_alike(&project, &["output"], 0);
}

#[test]
fn mistakes_are_the_same_on_one_core_and_on_all() {
    // Wrong for the type, for the evaluation, and for what holds between resources.
    for mistake in ["vcpus = \"one\"", "vcpus = 1 / 0", "vcpus = 9_999"] {
        assert_alike(&Project::with(many(mistake)), &["check"], 1);
    }
}
