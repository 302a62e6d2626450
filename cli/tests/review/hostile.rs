//! Texts that want to be more than text: in no format do they change what a reader sees of its
//! structure. The same reports with harmless texts are the measure.

use serde_json::{Value, json};

use crate::project::Scenario;
use crate::{REPORTS, read};

/// What people and machines could write where a text is expected. Each has the same harmless twin.
const HOSTILE: [&str; 20] = [
    "</details><script>alert('EVIL')</script>",
    "</script><img src=x onerror=alert('EVIL')>",
    "\" onmouseover=\"EVIL",
    "' autofocus onfocus='EVIL",
    "--><!-- EVIL",
    "]]> <![CDATA[ EVIL",
    "&lt;script&gt;EVIL",
    "EVIL | more | cells |",
    "```\n```\nEVIL",
    "`` ` EVIL ``` `",
    "[EVIL](javascript:alert(1)) ![EVIL](http://evil.example/x.png)",
    "http://evil.example/EVIL www.evil.example",
    "@all EVIL #1 !2 $x$ ~~no~~ **bold** _under_",
    "\r\n::error file=EVIL::nothing",
    "% EVIL %0A::warning::nothing",
    "\u{1b}[2J\u{1b}]0;EVIL\u{7}",
    "\u{202e}EVIL\u{2066}\u{200b}",
    "</summary></code></b> EVIL",
    "\u{0}\u{85}\u{2028}EVIL",
    "{{EVIL}} ${EVIL} <% EVIL %>",
];

/// The one that would be a command of its own.
const BY_HAND: usize = 13;

/// A project whose VMs have these texts in their titles, after harmless ones were applied, and with
/// one changed by hand.
fn reports(titles: &[&str]) -> (Scenario, Value) {
    let project = |titles: &[String]| {
        let mut text = String::from(
            "site s {\n  host h { provider = \"sim\", capacity { vcpus = 64, memory = 256GiB } }\n  \
             host far { provider = \"sim\", capacity { vcpus = 1, memory = 1GiB } }\n}\n\
             tenant t {\n  network n { cidr = 10.1.0.0/24 }\n",
        );
        for (number, title) in titles.iter().enumerate() {
            text.push_str(&format!(
                "  vm web{number:02} {{\n    vcpus = 1\n    memory = 1GiB\n    title = {title}\n    \
                 nic n {{ network = network.n }}\n  }}\n"
            ));
        }
        text + "  vm quiet { vcpus = 1, memory = 1GiB, title = \"quiet\" }\n}\n"
    };
    let quoted = |text: &&str| {
        let mut quoted = String::from("\"");
        for c in text.chars() {
            quoted.push_str(&match c {
                '"' | '\\' => format!("\\{c}"),
                '$' => "\\$".to_owned(),
                c if c.is_control() || !c.is_ascii() => format!("\\u{{{:x}}}", u32::from(c)),
                c => c.to_string(),
            });
        }
        quoted + "\""
    };
    let first: Vec<String> =
        (0..titles.len()).map(|number| format!("\"before {number}\"")).collect();
    let then: Vec<String> = titles.iter().map(quoted).collect();
    let scenario = Scenario::applied(&project(&first));
    scenario.write("main.tcloud", &project(&then));
    // Of what was changed by hand findings tell too, and of what could not be checked tests.
    let drift = format!("title={}", quoted(&titles[BY_HAND]));
    scenario.run(&["sim", "drift", "tenant.t.vm.quiet", &drift]);
    scenario.run(&["sim", "unreachable", "site.s.host.far", "--why", titles[BY_HAND]]);
    scenario.report(&REPORTS);
    let shape = read("shape.py", scenario.out());
    let shape = serde_json::from_str(&shape).expect(&shape);
    (scenario, shape)
}

#[test]
fn no_text_changes_the_structure_of_a_report() {
    let harmless: Vec<String> =
        (0..HOSTILE.len()).map(|number| format!("harmless {number}")).collect();
    let harmless: Vec<&str> = harmless.iter().map(String::as_str).collect();
    let (_, expected) = reports(&harmless);
    let (scenario, found) = reports(&HOSTILE);
    for (_, file) in REPORTS {
        assert!(scenario.read(file).contains("EVIL") || file == "gitlab-terraform.json", "{file}");
        assert_eq!(found[file]["unsafe"], json!([]), "{file}");
        let structure = |all: &Value| match &all[file]["shape"]["tags"] {
            Value::Null => all[file]["shape"].clone(),
            tags => tags.clone(),
        };
        assert!(structure(&found) == structure(&expected), "{file}: {}", scenario.read(file));
    }
    for file in ["markdown.md", "html.html"] {
        let bare = found[file]["shape"]["bare"].as_array().expect("a list").iter();
        // Only sentences about what could not be checked quote what others said.
        let wrong: Vec<&Value> =
            bare.filter(|text| !text.to_string().contains("did not answer")).collect();
        assert!(wrong.is_empty(), "{file}: outside of code: {wrong:?}");
    }
}
