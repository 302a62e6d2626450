//! How many packages the program is made of: each is somebody whom the users of tcloud trust.

use std::path::Path;

/// The most packages that `Cargo.lock` may hold, ours and those of tests among them.
const BUDGET: usize = 320;

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let path = root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let packages = lock.lines().filter(|line| *line == "[[package]]").count();
    let over = packages.saturating_sub(BUDGET);
    let refusal = format!(
        "Cargo.lock: {packages} packages, {over} more than the budget of {BUDGET}. Thank you for the work; \
         before it grows, look whether what it needs is there already (`cargo tree --duplicates`, \
         `cargo tree --invert NAME`) or needs fewer features. If not, raise BUDGET in \
         xtask/src/tidy/packages.rs and say in the commit what is worth it"
    );
    Ok((over > 0).then_some(refusal).into_iter().collect())
}
