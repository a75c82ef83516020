//! The worker's end: holds one device and at most one case that is ready.

use super::{PROTOCOL, Reply, Request};
use crate::catalog::Catalog;
use crate::measure::{self, Clock as _, HostClock};
use crate::tensors::{Placed, rotation_sets};
use crate::validate::{Overrides, Rejection, Truth, verify};
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use tilemark_core::device::{Prepared, Program};
use tilemark_core::family::Body;
use tilemark_core::method::Method;
use tilemark_core::record::Verification;
use tilemark_core::{Case, Device, Family, Fault, Implementation, Info};

/// Answers requests from stdin on stdout until stdin ends.
///
/// When the engine is gone stdin ends, and the process exits even if its kernel never returns.
pub fn serve(catalog: &Catalog, device: Result<Box<dyn Device>, Fault>) {
    let mut device = match device {
        Ok(device) => device,
        Err(fault) => return send(&Reply::Fault { fault }),
    };
    send(&Reply::Hello { protocol: PROTOCOL, info: Box::new(device.info().clone()) });
    let requests = requests();
    let mut ready: Option<Ready> = None;
    for request in requests {
        let reply = answer(catalog, device.as_mut(), &mut ready, request);
        send(&reply.unwrap_or_else(|fault| Reply::Fault { fault }));
    }
}

/// A case that is ready to be timed.
struct Ready {
    family: &'static dyn Family,
    case: Case,
    method: Method,
    overrides: Overrides,
    placed: Placed,
    sets: Vec<Prepared>,
    truth: Truth,
}

fn answer(
    catalog: &Catalog,
    device: &mut dyn Device,
    ready: &mut Option<Ready>,
    request: Request,
) -> Result<Reply, Fault> {
    match request {
        Request::Prepare { case, method, overrides, scratch } => {
            if let Some(last) = ready.take() {
                last.placed.release(device);
            }
            let (next, ran_s) = prepare(catalog, device, *case, *method, overrides, &scratch)?;
            let checked = next.sets[CHECKED_SET];
            let (code, choice) = (device.code(checked), device.choice(checked));
            let ready_with = |verification| Reply::Ready { verification, code, choice, ran_s };
            let reply = reply(judged(device, &next, CHECKED_SET)?, ready_with);
            *ready = Some(next);
            Ok(reply)
        }
        Request::Round { index, order } => {
            let case = ready.as_ref().ok_or_else(nothing_ready)?;
            // So that an answer of an earlier launch does not stand for those that are timed.
            case.placed.poison_outputs(device)?;
            let round =
                measure::round(device, &case.sets, &case.method, &HostClock::new(), index, order)?;
            Ok(Reply::Round { round })
        }
        Request::Finish => {
            let case = ready.take().ok_or_else(nothing_ready)?;
            let verdict = final_verdict(device, &case);
            case.placed.release(device);
            Ok(reply(verdict?, |verification| Reply::Finished { verification }))
        }
        Request::Ceilings => Ok(Reply::Ceilings { ceilings: device.ceilings()? }),
        Request::Libraries => {
            Ok(Reply::Libraries { libraries: (catalog.libraries)(device.info().vendor) })
        }
    }
}

/// Makes a case ready and runs it once; also says how long the device took for that.
fn prepare(
    catalog: &Catalog,
    device: &mut dyn Device,
    case: Case,
    method: Method,
    overrides: Overrides,
    scratch: &Path,
) -> Result<(Ready, f64), Fault> {
    let infra = |e: crate::catalog::UnknownName| Fault::Infra { message: e.to_string() };
    let family = catalog.family(&case.problem.family).map_err(infra)?;
    let implementation = catalog.implementation(family, &case.implementation).map_err(infra)?;
    let body = body(family, implementation, &case, device.info())?;
    let label = case.label();
    let tensors = family.tensors(&case.problem);
    let sets = rotation_sets(&tensors, device.info(), method.cache);
    let placed = Placed::new(device, &case.problem, tensors, sets)?;
    let mut prepared = Vec::new();
    for set in 0..placed.sets() {
        prepared.push(device.prepare(&Program {
            problem: &case.problem,
            implementation: &label,
            body: &body,
            tensors: placed.slices(set),
        })?);
    }
    // Others may read this truth too, so nothing of this implementation has run before.
    let truth = Truth::shared(family, &case.problem, scratch);
    placed.poison_outputs(device)?;
    let clock = HostClock::new();
    device.run(prepared[CHECKED_SET])?;
    let ran_s = clock.now();
    Ok((Ready { family, case, method, overrides, placed, sets: prepared, truth }, ran_s))
}

/// How the case's variant runs, or the implementation by its own choice.
fn body(
    family: &dyn Family,
    implementation: &Implementation,
    case: &Case,
    info: &Info,
) -> Result<Body, Fault> {
    let Some(choice) = &case.variant else {
        return Ok(implementation.code.body(&case.problem, info));
    };
    let tuning = family.tuning(implementation.name, &case.problem, info);
    let mut variants = tuning.into_iter().flat_map(|tuning| tuning.variants);
    let found = variants.find(|variant| variant.choice == *choice);
    found.map(|variant| variant.body).ok_or_else(|| Fault::Infra {
        message: format!("`{}` has no variant {choice}", implementation.name),
    })
}

/// The rotation set whose answer is checked before the timing and right after it; all sets hold the
/// same values, and every batch of timed launches begins with this one.
const CHECKED_SET: usize = 0;

/// What a check found, and why the answer is rejected if it is.
type Verdict = (Verification, Option<Rejection>);

/// Judges what the timed launches left in the first set of tensors, then what one more launch
/// leaves in each of the others.
fn final_verdict(device: &mut dyn Device, case: &Ready) -> Result<Verdict, Fault> {
    let (mut verification, mut rejection) = judged(device, case, CHECKED_SET)?;
    for set in CHECKED_SET + 1..case.sets.len() {
        case.placed.poison_outputs(device)?;
        device.run(case.sets[set])?;
        let (of_set, rejected) = judged(device, case, set)?;
        verification = verification.worse(of_set);
        rejection = rejection.or(rejected);
    }
    Ok((verification, rejection))
}

/// Judges what a set of tensors holds.
fn judged(device: &mut dyn Device, case: &Ready, set: usize) -> Result<Verdict, Fault> {
    let Ready { family, case, placed, truth, overrides, .. } = case;
    verify(device, *family, &case.problem, placed, set, truth, overrides)
}

fn reply(
    (verification, rejection): Verdict,
    accepted: impl FnOnce(Verification) -> Reply,
) -> Reply {
    match rejection {
        None => accepted(verification),
        Some(rejection) => Reply::Rejected {
            verification,
            nonfinite: matches!(rejection, Rejection::Nonfinite { .. }),
            reason: rejection.to_string(),
        },
    }
}

fn nothing_ready() -> Fault {
    Fault::Infra { message: "no case is ready".to_owned() }
}

/// Reads requests on a thread of its own, so that the end of stdin ends the process at once.
fn requests() -> Receiver<Request> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let sent = match serde_json::from_str(&line) {
                Ok(request) => sender.send(request).is_ok(),
                Err(e) => {
                    eprintln!("no request: {e}: {line}");
                    false
                }
            };
            if !sent {
                break;
            }
        }
        std::process::exit(0);
    });
    receiver
}

fn send(reply: &Reply) {
    let line = serde_json::to_string(reply).expect("a reply is plain data");
    let mut stdout = std::io::stdout().lock();
    // If nobody reads any more, stdin has ended too and this process is about to exit.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
