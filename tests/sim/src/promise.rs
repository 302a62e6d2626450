//! What the simulator watches, in the words of the book.

/// An invariant and how it is checked.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Its number in the design.
    pub number: &'static str,
    /// What is promised.
    pub what: &'static str,
    /// How that is checked.
    pub how: &'static str,
}

const fn promise(number: &'static str, what: &'static str, how: &'static str) -> Promise {
    Promise { number, what, how }
}

/// All of them.
pub const PROMISES: [Promise; 12] = [
    promise(
        "I1",
        "Nothing is asked of a host before an intent that names the object is durable.",
        "At every call: the store has accepted such an intent of this run. After an answer that \
         leaves the effect unknown, the object is looked at before anything else is asked.",
    ),
    promise(
        "I2",
        "No success is reported before its result is durable, or before it happened.",
        "At every commit of an outcome: the run has heard of the object. At every report: the \
         outcome is committed. After every round: the state is what follows from the journal.",
    ),
    promise(
        "I3",
        "Two holders never both write.",
        "At every commit: the run has the newest lease of the scope, and the entry follows the \
         last one. At every call: no other run has taken the scope over.",
    ),
    promise(
        "I4",
        "What remembers and what is intended covers everything of ours that lives.",
        "After every effect on a host and every commit. Excused until they are remembered again: \
         objects about which a provider lied, whose request arrived after somebody had looked, or \
         that a restored backup does not know.",
    ),
    promise(
        "I5",
        "Recovery ends, and a second one changes nothing.",
        "When the faults are over, recovery runs twice.",
    ),
    promise(
        "I6",
        "Applying gets there: then the plan is empty, and what runs is what the text declares.",
        "When the faults are over, at most six plain applies.",
    ),
    promise(
        "I7",
        "Apply does only what the plan says, in its order.",
        "At every call: it is a step of the run's plan, and the steps that it waits for are durable.",
    ),
    promise(
        "I8",
        "An object without our stamp is never touched.",
        "After every effect: everything foreign on all hosts is as it was.",
    ),
    promise(
        "I9",
        "Nothing that holds data is destroyed without consent that names it.",
        "At every deletion of a disk or volume into which something was written.",
    ),
    promise(
        "I10",
        "No secret stands in a plan, the journal, an error or any output.",
        "Some guests are given a secret, and hosts repeat it in their errors: it stands in no plan, \
         no entry of the journal, and nothing that is told. The command's own sinks have a test \
         with every command in every format.",
    ),
    promise(
        "I11",
        "A rebuilt state is the one that was lost.",
        "At the end: rebuilt from the hosts alone and compared, record by record.",
    ),
    promise(
        "I12",
        "The same facts give the same plan, byte for byte.",
        "At the end: a plan that makes every guest anew, twice.",
    ),
];
