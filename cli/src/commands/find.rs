//! Finding the address that a person means: all of it, or its end.

use tcloud_model::{Address, diagnostic};

use crate::failure::Failure;
use crate::view::layout::list;

/// How many addresses are listed where one is missed.
const FEW: usize = 6;

/// The one address among these that is the text or ends with it.
pub(super) fn find<'a>(
    text: &str,
    all: impl Iterator<Item = &'a Address> + Clone,
) -> Result<&'a Address, Failure> {
    let mut found: Vec<&Address> = Vec::new();
    for address in all.clone() {
        let full = address.to_string();
        if full == text {
            return Ok(address);
        }
        if full.strip_suffix(text).is_some_and(|before| before.ends_with('.')) {
            found.push(address);
        }
    }
    found.dedup();
    match found[..] {
        [only] => Ok(only),
        [] => {
            let names: Vec<String> = all.map(Address::to_string).collect();
            let ends = names.iter().flat_map(|name| [name.as_str(), end(name)]);
            let failure = Failure::new(format!("there is nothing at `{text}`"));
            Err(match (diagnostic::nearest(text, ends), names.len()) {
                (Some(near), _) => failure.help(format!("did you mean `{near}`?")),
                (None, 1..=FEW) => failure.help(format!("there is: {}", list(&names, 300))),
                (None, _) => failure.help("`tcloud state list` shows what is managed"),
            })
        }
        _ => {
            let names: Vec<String> = found.iter().map(|address| address.to_string()).collect();
            Err(Failure::new(format!("`{text}` may mean several"))
                .help(format!("write more of one of: {}", list(&names, 300))))
        }
    }
}

/// The last kind and name of an address.
fn end(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((before, _)) => match before.rsplit_once('.') {
            Some((outer, _)) => &name[outer.len() + 1..],
            None => name,
        },
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Palette;

    #[test]
    fn the_end_of_an_address_is_enough_when_only_one_fits() {
        let all: Vec<Address> = ["tenant.a.vm.web", "tenant.b.vm.web", "tenant.a.volume.archive"]
            .map(|text| text.parse().expect(text))
            .into();
        let find = |text: &str| {
            find(text, all.iter())
                .map(Address::to_string)
                .map_err(|failure| failure.render(Palette::PLAIN))
        };
        assert_eq!(find("volume.archive"), Ok("tenant.a.volume.archive".to_owned()));
        assert_eq!(find("tenant.b.vm.web"), Ok("tenant.b.vm.web".to_owned()));
        assert!(find("vm.web").expect_err("two").contains("tenant.b.vm.web"));
        assert!(find("nope").expect_err("nothing").contains("there is: tenant.a.vm.web, "));
        assert!(find("volume.archvie").expect_err("a typo").contains("`volume.archive`"));
    }
}
