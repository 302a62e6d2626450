//! Plays a scenario: each block does something to the lab, or says what has to be so.

use std::collections::BTreeSet;

use tcloud_compiler::Variable;
use tcloud_engine::ApplyError;
use tcloud_model::{Address, AttrPath, Diagnostic, Fields, Name, Value};
use tcloud_planner::{Goal, Wishes};
use tcloud_provider_sim::{Control, Fault, How, Latency};

use crate::expect;
use crate::lab::{Applied, Lab, Planned};
use crate::suite::{Block, Suite};

/// Plays a suite from its first block to its last.
///
/// # Errors
/// What was not as it should be, with the line of the block.
pub fn play(suite: &Suite) -> Result<(), String> {
    let mut lab = Lab::new()?;
    for block in &suite.steps {
        step(&mut lab, block).map_err(|error| format!("{block}: {error}"))?;
    }
    Ok(())
}

fn step(lab: &mut Lab, block: &Block) -> Result<(), String> {
    match block.verb.as_str() {
        "tcloud" => {
            lab.files.insert("main.tcloud".to_owned(), block.text.clone());
            Ok(())
        }
        "set" => set(lab, block),
        "clock" => set_clock(lab, block.text.trim()),
        "sim" => block.lines().try_for_each(|line| by_hand(lab, line)),
        "error" => match lab.plan(&wishes(block)?) {
            Ok(_) => Err("there is a plan and no error".to_owned()),
            Err(diagnostics) => expect::diagnostics(block, &diagnostics),
        },
        "plan" => expect::changes(block, &plan(lab, block)?.plan),
        "drift" => expect::drift(block, &plan(lab, block)?.plan),
        "decisions" => expect::decisions(block, &plan(lab, block)?.plan),
        "waits" => expect::waits(block, &plan(lab, block)?.plan),
        "refused" => refused(lab, block),
        "apply" => apply(lab, block),
        "world" => block.lines().try_for_each(|line| expect::world(lab, line)),
        "foreign" => block.lines().try_for_each(|line| expect::foreign(lab, line)),
        "hosts" => block.lines().try_for_each(|line| expect::hosts(lab, line)),
        other => Err(format!("nobody knows what `{other}` means")),
    }
}

fn set(lab: &mut Lab, block: &Block) -> Result<(), String> {
    for line in block.lines() {
        let (name, value) = line.split_once(" = ").ok_or("a line is `name = value`")?;
        lab.variables.insert(Name::new(name), Variable::Text(value.to_owned()));
    }
    Ok(())
}

fn set_clock(lab: &Lab, time: &str) -> Result<(), String> {
    lab.set_clock(time.parse().map_err(|error| format!("{time}: {error}"))?);
    Ok(())
}

fn wishes(block: &Block) -> Result<Wishes, String> {
    let texts = |name| block.values(name).map(str::to_owned).collect();
    let allowed: BTreeSet<Address> = block
        .values("allow")
        .map(|text| text.parse().map_err(|error| format!("{text}: {error}")))
        .collect::<Result<_, _>>()?;
    let goal = match (block.has("destroy"), block.has("refresh")) {
        (true, _) => Goal::Destroy,
        (false, true) => Goal::Refresh,
        (false, false) => Goal::Apply,
    };
    Ok(Wishes {
        goal,
        target: texts("target"),
        exclude: texts("exclude"),
        replace: texts("replace"),
        allow_data_loss: allowed.clone(),
        allow_destroy: allowed.clone(),
        allow_exposure: allowed,
    })
}

fn plan(lab: &Lab, block: &Block) -> Result<Planned, String> {
    lab.plan(&wishes(block)?).map_err(|diagnostics| in_words(&diagnostics))
}

/// Diagnostics as one text.
pub fn in_words(diagnostics: &[Diagnostic]) -> String {
    let all = diagnostics.iter().map(|d| {
        let help = d.help.as_deref().unwrap_or("");
        format!("{} {} ({help})", d.code, d.message)
    });
    all.collect::<Vec<_>>().join("\n")
}

fn apply(lab: &Lab, block: &Block) -> Result<(), String> {
    let wishes = wishes(block)?;
    let planned = plan(lab, block)?;
    let stop = block.values("stop").next();
    let applied = lab.apply(&planned, stop).map_err(|error| format!("{error}: {error:?}"))?;
    expect::order_of_events(&planned.plan, &applied.events)?;
    if applied.account.interrupted != stop.is_some() {
        return Err("it was stopped, or was not, against what is expected".to_owned());
    }
    if block.has("fails") || stop.is_some() {
        return expect::account(block, &applied.account);
    }
    succeeded(&applied)?;
    expect::order(block, &planned.plan)?;
    let whole = wishes.target.is_empty() && wishes.exclude.is_empty();
    if whole && wishes.goal != Goal::Refresh {
        let again = Wishes { replace: Vec::new(), ..wishes };
        let again = lab.plan(&again).map_err(|diagnostics| in_words(&diagnostics))?;
        if !again.plan.is_empty() {
            return Err(format!("the next plan is not empty: {:#?}", again.plan.changes));
        }
    }
    Ok(())
}

fn succeeded(applied: &Applied) -> Result<(), String> {
    match applied.account.is_success() {
        true => Ok(()),
        false => Err(format!("not everything was done: {:#?}", applied.account)),
    }
}

/// A plan with open decisions is not applied, nor one for a window that has closed meanwhile
/// (`clock=`), and nothing changes anywhere.
fn refused(lab: &Lab, block: &Block) -> Result<(), String> {
    let planned = plan(lab, block)?;
    let before = expect::dump(lab)?;
    let late = block.values("clock").next();
    late.map_or(Ok(()), |time| set_clock(lab, time))?;
    match (lab.apply(&planned, None), late) {
        (Ok(_), _) => return Err("it was applied".to_owned()),
        (Err(ApplyError::NeedsDecision), None) | (Err(ApplyError::Stale(_)), Some(_)) => {}
        (Err(error), _) => return Err(format!("it was refused for another reason: {error}")),
    }
    match expect::dump(lab)? == before {
        true => Ok(()),
        false => Err("something changed".to_owned()),
    }
}

/// What somebody does to a host behind our back.
fn by_hand(lab: &Lab, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["delete", address] => on(lab, address, |host| host.delete(address)),
        ["stop", address] => on(lab, address, |host| host.stop(address)),
        ["start", address] => on(lab, address, |host| host.start(address)),
        ["power-cycle", address] => on(lab, address, |host| host.power_cycle(address)),
        ["set", address, path, value] => {
            let value = literal(value)?;
            on(lab, address, |host| {
                host.drift(address, &AttrPath::parse(path), Some(value.clone()))
            })
        }
        ["foreign", kind, name, "on", host] => {
            control(lab, host)?.make(kind, name, &foreign(kind)?, None).map_err(|e| e.to_string())
        }
        ["slow", time] => slow(lab, time),
        ["fail", address, operation, how] => fail(lab, address, operation, how, 1),
        ["fail", address, operation, how, times] => {
            fail(lab, address, operation, how, times.parse().map_err(|_| "times is a number")?)
        }
        _ => Err(format!("nobody knows what `{line}` means")),
    }
}

fn literal(text: &str) -> Result<Value, String> {
    let (expression, diagnostics) = tcloud_syntax::parse_expression(tcloud_model::FileId(0), text);
    match expression.map(|expression| expression.kind) {
        Some(tcloud_syntax::ast::ExprKind::Literal(value)) => Ok(value),
        _ => Err(format!("`{text}` is not a literal: {}", in_words(&diagnostics))),
    }
}

fn foreign(kind: &str) -> Result<Fields, String> {
    let fields: &[(&str, &str)] = match kind {
        "network" => &[("cidr", "192.168.122.0/24"), ("mode", "\"nat\"")],
        "vm" => &[("vcpus", "1"), ("memory", "1GiB"), ("running", "true")],
        "volume" => &[("size", "5GiB"), ("format", "\"qcow2\"")],
        other => return Err(format!("nobody makes a {other} by hand")),
    };
    fields.iter().map(|(name, text)| Ok((Name::new(name), literal(text)?))).collect()
}

fn fail(lab: &Lab, address: &str, operation: &str, how: &str, times: u32) -> Result<(), String> {
    let how = How::ALL.into_iter().find(|own| own.word() == how).ok_or("no such fault")?;
    let fault = Fault {
        operation: Some(operation.to_owned()),
        kind: None,
        object: Some(address.to_owned()),
        how,
        message: "the simulated host was told to fail".to_owned(),
        times: Some(times),
        chance: 100,
    };
    for host in lab.hosts() {
        let mut control = control(lab, &host.to_string())?;
        control.break_with(&fault).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Every call to a host takes so long.
fn slow(lab: &Lab, time: &str) -> Result<(), String> {
    let Value::Duration(milliseconds) = literal(time)? else {
        return Err(format!("{time} is no length of time"));
    };
    let milliseconds = u32::try_from(milliseconds).map_err(|error| error.to_string())?;
    let latency = Latency { operation: None, kind: None, milliseconds, jitter: 0 };
    for host in lab.hosts() {
        let mut control = control(lab, &host.to_string())?;
        control.set_latencies(std::slice::from_ref(&latency)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The control of a host.
///
/// # Errors
/// When the host has no world.
pub fn control(lab: &Lab, host: &str) -> Result<Control, String> {
    let host: Address = host.parse().map_err(|error| format!("{host}: {error}"))?;
    Control::open(lab.worlds(), &host).map_err(|error| error.to_string())
}

/// Does something on every host that has the object.
fn on<E: std::fmt::Display>(
    lab: &Lab,
    address: &str,
    mut act: impl FnMut(&mut Control) -> Result<(), E>,
) -> Result<(), String> {
    let mut found = false;
    for host in lab.hosts() {
        let mut control = control(lab, &host.to_string())?;
        if expect::has(&mut control, address)? {
            act(&mut control).map_err(|error| error.to_string())?;
            found = true;
        }
    }
    if found { Ok(()) } else { Err(format!("{address} is on no host")) }
}
