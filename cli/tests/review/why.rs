//! `tcloud why`: the lines behind a change, who wrote them, what they open, and what to decide.

use crate::project::Scenario;

#[test]
fn the_chain_of_causes_names_lines_and_authors() {
    let scenario = Scenario::changed();
    let network = scenario.run(&["why", "network.fach"]);
    let disk = scenario.run(&["why", "geo-db01.disk.root"]);
    let json = scenario.run(&["why", "--json", "geo-db01.disk.root"]);
    for (text, parts) in [
        (
            &network,
            &["newly reach", "5432/tcp", "net.tcloud", "--allow exposure=", "who agrees: "][..],
        ),
        (&disk, &["image debian-12 -> debian-13", "vms.tcloud", "--allow data-loss=", "down"][..]),
        (&json, &["\"format\": \"tcloud-why/1\"", "\"author\": {"][..]),
    ] {
        for part in parts {
            assert!(text.contains(part), "no {part} in:\n{text}");
        }
        assert!(text.contains("Erika Musterfrau"), "nobody wrote it:\n{text}");
    }
    for line in network.lines().chain(disk.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let unchanged = scenario.run(&["why", "vm.eakte-db01"]);
    assert!(unchanged.contains("eakte-db01"), "{unchanged}");
}
