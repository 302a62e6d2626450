//! Saved plans that touch different objects: both apply, whichever comes first.

use crate::team::Team;
use crate::tenant;

fn both_apply(team: &Team, order: [&str; 2]) {
    team.write("tenants.tcloud", &format!("{}{}", tenant(1, 2), tenant(2, 2)));
    team.run(&["apply", "--yes"], 0);
    // Two guests of one tenant change, and one of another: three plans from one moment.
    let text = format!("{}{}", tenant(1, 2), tenant(2, 2)).replace("256MiB", "512MiB");
    team.write("tenants.tcloud", &text);
    for (file, target) in
        [("a", "tenant.t1.vm.web[1]"), ("b", "tenant.t1.vm.web[2]"), ("c", "tenant.t2.*")]
    {
        team.run(&["plan", "--out", file, "--target", target], 0);
    }
    for file in order {
        team.run(&["apply", "--yes", file], 0);
    }
    team.run(&["apply", "--yes", "c"], 0);
    team.is_done();
    // A plan is carried out once.
    let again = team.run(&["apply", "--yes", order[0]], 5);
    assert!(again.err.contains("was applied already"), "{}", again.err);
}

#[test]
fn disjoint_plans_apply_in_either_order_with_a_file() {
    for order in [["a", "b"], ["b", "a"]] {
        both_apply(&Team::at("sqlite:.tcloud/state.db".to_owned()), order);
    }
}

#[test]
fn disjoint_plans_apply_in_either_order_with_a_database() {
    for (schema, order) in [("plans1", ["a", "b"]), ("plans2", ["b", "a"])] {
        both_apply(&Team::pooled(schema), order);
    }
}
