//! Carries out a batch of calls: latencies and faults first, then what was asked, then the log.

use rusqlite::{Connection, TransactionBehavior, params};
use tcloud_model::{Catalog, ObservedObject, Operation, OperationKind};
use tcloud_provider::ProviderError;

use crate::apply::Extent;
use crate::failure::Failure;
use crate::fault::{Fault, How, spoil};
use crate::host::{Host, Site};
use crate::migrate::migrate;
use crate::queue::{Answer, Request};
use crate::script::{Call, Script, next};

/// How many calls the log keeps, and how often older ones are dropped.
const LOGGED: u64 = 10_000;
const SWEEP: u64 = 1_000;

/// Carries out calls, each with whether its latency has passed, in one transaction.
pub(crate) fn perform(
    file: &mut Connection,
    site: &Site,
    catalog: &Catalog,
    calls: &[(&Request, bool)],
) -> Vec<Answer> {
    let done = match calls {
        [(Request::Apply(operation), waited)]
            if matches!(operation.action, OperationKind::Migrate { .. }) =>
        {
            perform_migration(file, site, catalog, operation, *waited).map(|answer| vec![answer])
        }
        calls => perform_together(file, site, catalog, calls),
    };
    done.unwrap_or_else(|failure| {
        let error = failure.told();
        calls.iter().map(|_| Answer::Failed(error.clone())).collect()
    })
}

fn perform_together(
    file: &mut Connection,
    site: &Site,
    catalog: &Catalog,
    calls: &[(&Request, bool)],
) -> Result<Vec<Answer>, Failure> {
    let writes = calls.iter().any(|(request, _)| matches!(request, Request::Apply(_)));
    let behavior =
        if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
    let transaction = file.transaction_with_behavior(behavior)?;
    let script = Script::read(&transaction)?;
    let host = Host { file: &transaction, script: &script, site, catalog };
    let answers = calls.iter().map(|(request, waited)| host.perform(request, *waited)).collect();
    transaction.commit()?;
    Ok(answers)
}

/// A migration cannot be inside a transaction of the source: two hosts that move guests to each
/// other would wait for each other.
fn perform_migration(
    file: &mut Connection,
    site: &Site,
    catalog: &Catalog,
    operation: &Operation,
    waited: bool,
) -> Result<Answer, Failure> {
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let script = Script::read(&transaction)?;
    let host = Host { file: &transaction, script: &script, site, catalog };
    let call = Call::of(operation);
    let fault = match host.prepare(&call, waited) {
        Ok(fault) => fault.cloned(),
        Err(answer) => return Ok(answer),
    };
    let known = host.look(&operation.identity)?;
    transaction.commit()?;
    let result = match fault {
        None => migrate(file, site, catalog, operation, Extent::Whole),
        Some(fault) => match fault.how {
            How::Hang => return Ok(Answer::Never),
            How::Lie => Ok(known),
            How::Halfway => migrate(file, site, catalog, operation, Extent::Half),
            How::Wrong => migrate(file, site, catalog, operation, Extent::Whole),
            How::Lost => migrate(file, site, catalog, operation, Extent::Whole)
                .and(Err(Failure::Unknown(fault.message))),
            How::Permanent | How::Transient | How::Unknown => Err(fault.failure()),
        },
    };
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let host = Host { file: &transaction, script: &script, site, catalog };
    let answer = host.conclude(&call, operation, result)?;
    transaction.commit()?;
    Ok(answer)
}

impl Host<'_> {
    fn perform(&self, request: &Request, waited: bool) -> Answer {
        let done = match request {
            Request::Observe => self.perform_reading(&Call::host("observe"), waited, || {
                Ok(Answer::Observation(Box::new(self.observe()?)))
            }),
            Request::Look(operation) => {
                let call = Call { operation: "look", ..Call::of(operation) };
                self.perform_reading(&call, waited, || {
                    Ok(Answer::Object(self.look(&operation.identity)?.map(Box::new)))
                })
            }
            Request::Apply(operation) => self.perform_operation(operation, waited),
        };
        done.unwrap_or_else(|failure| Answer::Failed(failure.told()))
    }

    fn perform_reading(
        &self,
        call: &Call<'_>,
        waited: bool,
        read: impl FnOnce() -> Result<Answer, Failure>,
    ) -> Result<Answer, Failure> {
        match self.prepare(call, waited) {
            Err(answer) => Ok(answer),
            Ok(None) => read(),
            Ok(Some(Fault { how: How::Hang, .. })) => Ok(Answer::Never),
            Ok(Some(fault)) => Err(fault.failure()),
        }
    }

    fn perform_operation(&self, operation: &Operation, waited: bool) -> Result<Answer, Failure> {
        let call = Call::of(operation);
        let fault = match self.prepare(&call, waited) {
            Ok(fault) => fault,
            Err(answer) => return Ok(answer),
        };
        if let Some(Fault { how: How::Hang, .. }) = fault {
            return Ok(Answer::Never);
        }
        self.file.prepare_cached("SAVEPOINT operation")?.execute([])?;
        let (kept, result) = self.attempt(operation, fault);
        if !kept {
            self.file.prepare_cached("ROLLBACK TO operation")?.execute([])?;
        }
        self.file.prepare_cached("RELEASE operation")?.execute([])?;
        self.conclude(&call, operation, result)
    }

    /// Does what a fault leaves of an operation; says whether its effect stays, and what is told.
    fn attempt(
        &self,
        operation: &Operation,
        fault: Option<&Fault>,
    ) -> (bool, Result<Option<ObservedObject>, Failure>) {
        let Some(fault) = fault else {
            let result = self.apply(operation, Extent::Whole);
            return (result.is_ok(), result);
        };
        let extent = if fault.how == How::Halfway { Extent::Half } else { Extent::Whole };
        match fault.how {
            How::Permanent | How::Transient | How::Unknown | How::Hang => {
                (false, Err(fault.failure()))
            }
            How::Lie => (false, self.apply(operation, extent)),
            How::Wrong => {
                let result = self.apply(operation, extent).and_then(|_| self.spoil(operation));
                (result.is_ok(), result)
            }
            How::Lost | How::Halfway => match self.apply(operation, extent) {
                Ok(_) => (true, Err(fault.failure())),
                Err(failure) => (false, Err(failure)),
            },
        }
    }

    /// Makes an object other than what was asked for.
    fn spoil(&self, operation: &Operation) -> Result<Option<ObservedObject>, Failure> {
        let Some(mut object) = self.find(&operation.identity)? else { return Ok(None) };
        spoil(&mut object.live);
        object.write(self.file)?;
        self.answer(object).map(Some)
    }

    /// What comes before a call is carried out: reachability, time, and what goes wrong.
    fn prepare(&self, call: &Call<'_>, waited: bool) -> Result<Option<&Fault>, Answer> {
        let failed = |failure: Failure| Answer::Failed(failure.told());
        self.script.reach().map_err(failed)?;
        let latency = self.script.latency(call);
        if !waited && !latency.is_zero() {
            return Err(Answer::Wait(latency));
        }
        self.script.fault(self.file, call).map_err(failed)
    }

    /// Logs what came of an operation, and adds the newest known object to a failure.
    fn conclude(
        &self,
        call: &Call<'_>,
        operation: &Operation,
        result: Result<Option<ObservedObject>, Failure>,
    ) -> Result<Answer, Failure> {
        let (outcome, answer) = match result {
            Ok(object) => ("ok".to_owned(), Answer::Object(object.map(Box::new))),
            Err(failure) => {
                let mut error: ProviderError = failure.told();
                error.object = self.look(&operation.identity)?.map(Box::new);
                (error.message.clone(), Answer::Failed(error))
            }
        };
        self.log(call, &outcome)?;
        Ok(answer)
    }

    fn log(&self, call: &Call<'_>, outcome: &str) -> Result<(), Failure> {
        let serial = next(self.file, "call")?;
        self.file.prepare_cached("INSERT INTO call VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                i64::try_from(serial).unwrap_or(i64::MAX),
                call.operation,
                call.kind,
                call.name,
                call.address,
                outcome
            ],
        )?;
        if serial.is_multiple_of(SWEEP) {
            let oldest = i64::try_from(serial.saturating_sub(LOGGED)).unwrap_or(0);
            self.file.prepare_cached("DELETE FROM call WHERE serial <= ?1")?.execute([oldest])?;
        }
        Ok(())
    }
}
