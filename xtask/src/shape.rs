//! The loads that are measured, each as `.tcloud` text and as a terraform configuration.

use std::fmt::Write as _;

/// Resources of one tenant of the reference load: a network, three volumes, three VMs.
const PER_TENANT: usize = 7;

/// The shape of a load.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Tenants with a network, three volumes and three VMs that use them.
    Reference,
    /// Each resource after the one before.
    Chain,
    /// Two sets of instances; the second refers to the first by key.
    Pairs,
}

impl Shape {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Shape::Reference => "reference",
            Shape::Chain => "chain",
            Shape::Pairs => "pairs",
        }
    }

    /// How many tenants so many resources of the reference load have.
    pub(crate) fn tenants(size: usize) -> usize {
        size.div_ceil(PER_TENANT)
    }

    /// As `.tcloud` text.
    pub(crate) fn tcloud(self, size: usize) -> String {
        let mut text = String::from(HOSTS);
        let _ = match self {
            Shape::Reference => (0..Shape::tenants(size)).try_for_each(|n| tenant(&mut text, n)),
            Shape::Chain => chain(&mut text, size),
            Shape::Pairs => pairs(&mut text, size),
        };
        text
    }

    /// As a terraform configuration with the same resources and references.
    pub(crate) fn terraform(self, size: usize) -> String {
        let mut text = String::new();
        let _ = match self {
            Shape::Reference => {
                (0..Shape::tenants(size)).try_for_each(|n| TerraformTenant(n).write(&mut text))
            }
            Shape::Chain => terraform_chain(&mut text, size),
            Shape::Pairs => terraform_pairs(&mut text, size),
        };
        text
    }
}

const HOSTS: &str = "site bench {
  host one { provider = \"sim\", capacity { vcpus = 100_000, memory = 90_000TiB } }
  host two { provider = \"sim\", capacity { vcpus = 100_000, memory = 90_000TiB } }
  pool p { type = \"dir\", path = \"/srv/p\", capacity = 900_000TiB }
}
";

fn tenant(text: &mut String, n: usize) -> std::fmt::Result {
    writeln!(text, "\ntenant t{n} {{\n  title = \"Gemeinde {n}\"")?;
    writeln!(text, "  network lan {{ cidr = 10.{}.{}.0/24 }}", n / 256 % 256, n % 256)?;
    for v in 1..=3 {
        writeln!(text, "  volume data{v} {{ size = {v}0GiB }}")?;
    }
    for v in 1..=3 {
        writeln!(text, "  vm app{v} {{\n    vcpus = 1\n    memory = 2GiB")?;
        writeln!(text, "    disk data {{ volume = volume.data{v} }}")?;
        writeln!(text, "    nic lan {{ network = network.lan }}\n  }}")?;
    }
    writeln!(text, "}}")
}

fn chain(text: &mut String, size: usize) -> std::fmt::Result {
    writeln!(text, "\ntenant chain {{\n  volume v0 {{ size = 1GiB }}")?;
    for n in 1..size {
        writeln!(text, "  volume v{n} {{ size = 1GiB, after = [volume.v{}] }}", n - 1)?;
    }
    writeln!(text, "}}")
}

fn pairs(text: &mut String, size: usize) -> std::fmt::Result {
    writeln!(text, "\ntenant pairs {{")?;
    writeln!(text, "  volume data for n in 1..={size} {{ size = 1GiB }}")?;
    writeln!(text, "  vm app for n in 1..={size} {{\n    vcpus = 1\n    memory = 1GiB")?;
    writeln!(text, "    disk data {{ volume = volume.data[n] }}\n  }}\n}}")
}

fn data(text: &mut String, name: &str, input: &str) -> std::fmt::Result {
    writeln!(text, "resource \"terraform_data\" \"{name}\" {{\n  input = {{ {input} }}\n}}")
}

/// What sets the resources of one tenant of the reference load apart for terraform.
pub(crate) struct TerraformTenant(pub(crate) usize);

impl TerraformTenant {
    /// What the names of its resources begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("t{}_", self.0)
    }

    /// The addresses of its network.
    pub(crate) fn cidr(&self) -> String {
        format!("\"10.{}.{}.0/24\"", self.0 / 256 % 256, self.0 % 256)
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let prefix = self.prefix();
        data(text, &format!("{prefix}lan"), &format!("cidr = {}", self.cidr()))?;
        for v in 1..=3 {
            data(text, &format!("{prefix}data{v}"), &format!("size = {v}0"))?;
        }
        for v in 1..=3 {
            let disk = format!("disk = terraform_data.{prefix}data{v}.id");
            let nic = format!("nic = terraform_data.{prefix}lan.id");
            let input = format!("vcpus = 1, memory = 2, {disk}, {nic}");
            data(text, &format!("{prefix}app{v}"), &input)?;
        }
        Ok(())
    }
}

fn terraform_chain(text: &mut String, size: usize) -> std::fmt::Result {
    data(text, "v0", "size = 1")?;
    for n in 1..size {
        let before = format!("size = 1, after = terraform_data.v{}.id", n - 1);
        data(text, &format!("v{n}"), &before)?;
    }
    Ok(())
}

fn terraform_pairs(text: &mut String, size: usize) -> std::fmt::Result {
    let head = |name: &str| format!("resource \"terraform_data\" \"{name}\" {{\n  count = {size}");
    writeln!(text, "{}\n  input = {{ size = 1 }}\n}}", head("data"))?;
    let disk = "disk = terraform_data.data[count.index].id";
    writeln!(text, "{}\n  input = {{ vcpus = 1, memory = 1, {disk} }}\n}}", head("app"))
}
