# A policy as towns write them, over the form of Terraform's plan.
package town

import rego.v1

# Terraform's own advice: whatever is deleted shows as "delete".
deleted contains change.address if {
	some change in input.resource_changes
	"delete" in change.change.actions
}

# What Terraform has no word for.
loses contains change.address if {
	some change in input.resource_changes
	change.tcloud.disruption == "recreate-lose"
}

# A rule over attributes, before and after.
grows contains change.address if {
	some change in input.resource_changes
	change.type == "tcloud_volume"
	change.change.after.size > change.change.before.size
}

forced contains path if {
	some change in input.resource_changes
	some path in change.change.replace_paths
}
