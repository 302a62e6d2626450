//! Work on several threads at once, where the pieces have nothing to do with each other. The answers
//! stand in the order of the pieces, so that the number of threads changes nothing but the time.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{iter, thread, vec};

use crate::sharing::sharing;

/// More threads than this would wait for memory and not for work.
const MOST: usize = 8;

/// The stack of each thread, in bytes. Only what is used of it is taken; texts that are nested as deeply
/// as may be need much of it, more in a build without optimisation.
pub const STACK: usize = 64 << 20;

/// Fewer items than this are not worth a thread.
const FEW: usize = 512;

/// How many items a thread takes at once.
const RUN: usize = 128;

/// How many threads the machine has for us.
pub fn threads() -> NonZero<usize> {
    static THREADS: OnceLock<NonZero<usize>> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let available = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        available.min(NonZero::new(MOST).unwrap_or(NonZero::<usize>::MIN))
    })
}

/// How many threads so many items are worth, when each takes microseconds. Few are done before
/// another thread has begun.
pub fn threads_for(items: usize) -> NonZero<usize> {
    if items < FEW { NonZero::<usize>::MIN } else { threads() }
}

/// Does two things at the same time, if there is a second thread. The answers are `there`'s, which
/// another thread does, and `here`'s.
pub fn both<A: Send, B>(
    threads: NonZero<usize>,
    there: impl FnOnce() -> A + Send,
    here: impl FnOnce() -> B,
) -> (A, B) {
    if threads.get() == 1 {
        return (there(), here());
    }
    let waiting = Mutex::new(Some(there));
    let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let toil = || take().map(|there| there());
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let other = builder.spawn_scoped(scope, || sharing(toil)).ok();
        let here = here();
        let there = match other {
            Some(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // Without a thread to help, this one does both.
            None => toil(),
        };
        let there = there.unwrap_or_else(|| unreachable!("BUG: work was taken twice"));
        (there, here)
    })
}

/// Does the work on every item, on as many threads as the items are worth.
pub fn each<'i, T: Sync, R: Send>(items: &'i [T], work: impl Fn(&'i T) -> R + Sync) -> Answers<R> {
    // Each answer is put where it stays: there may be half a million of them.
    let mut answers = Vec::new();
    answers.resize_with(items.len(), || None);
    let runs = answers.chunks_mut(RUN).zip(items.chunks(RUN)).collect();
    map(threads_for(items.len()), runs, |(answers, items): (&mut [Option<R>], &'i [T])| {
        answers.iter_mut().zip(items).for_each(|(answer, item)| *answer = Some(work(item)));
    });
    answers.into_iter().map(|answer| answer.expect("BUG: an item that nobody worked on"))
}

/// The answers of [`each`]. Named, so that they may outlive what was worked on and with.
pub type Answers<R> = iter::Map<vec::IntoIter<Option<R>>, fn(Option<R>) -> R>;

/// Changes every item, on as many threads as the items are worth.
pub fn change<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    let threads = threads_for(items.len());
    map(threads, items.chunks_mut(RUN).collect(), |run: &mut [T]| run.iter_mut().for_each(&work));
}

/// Does the work on every piece, on at most so many threads, of which this is one.
pub fn map<T: Send, R: Send>(
    threads: NonZero<usize>,
    pieces: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let workers = threads.get().min(pieces.len());
    if workers <= 1 {
        return pieces.into_iter().map(work).collect();
    }
    let waiting = Mutex::new(pieces.into_iter().enumerate());
    let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let toil = || -> Vec<(usize, R)> {
        iter::from_fn(|| take().map(|(at, piece)| (at, work(piece)))).collect()
    };
    let mut done = thread::scope(|scope| {
        let spawn = |_| {
            let builder = thread::Builder::new().stack_size(STACK);
            // Without a thread to help, those that are there do it all.
            builder.spawn_scoped(scope, || sharing(toil)).ok()
        };
        let others: Vec<_> = (1..workers).filter_map(spawn).collect();
        let mut done = toil();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_the_order_of_the_pieces() {
        for threads in [1, 3, 50] {
            let threads = NonZero::new(threads).expect("not zero");
            let squares = map(threads, (0..20_u64).collect(), |n| n * n);
            assert_eq!(squares, (0..20).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn items_are_shared_out_and_keep_their_order() {
        for count in [0, FEW - 1, FEW, 10 * FEW + 1] {
            let mut items: Vec<usize> = (0..count).collect();
            let answers = each(&items, |n| n + 1);
            assert_eq!(answers.len(), count);
            assert!(answers.eq(1..=count));
            change(&mut items, |n| *n += 1);
            assert_eq!(items, (1..=count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn two_things_are_done_with_and_without_another_thread() {
        for threads in [1, 2] {
            let threads = NonZero::new(threads).expect("not zero");
            let mut here = 0;
            assert_eq!(both(threads, || "there", || here += 1), ("there", ()));
            assert_eq!(here, 1);
        }
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_passed_on() {
        let threads = NonZero::new(3).expect("not zero");
        map(threads, (0..20).collect(), |n| assert_ne!(n, 7, "seven"));
    }
}
