//! Trees to a checked program to desired resources

#[allow(dead_code, reason = "the evaluator is being wired to it")]
mod methods;
#[allow(dead_code, reason = "the evaluator is being wired to it")]
mod ops;
#[allow(dead_code, reason = "the evaluator is being wired to it")]
mod semantic;
