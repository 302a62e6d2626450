//! Work on several threads at once, where the pieces have nothing to do with each other. The answers
//! stand in the order of the pieces, so that the number of threads changes nothing but the time.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use crate::sharing::sharing;

/// More threads than this would wait for memory and not for work.
const MOST: usize = 8;

/// The stack of each thread. Only what is used of it is taken; deeply nested texts need much of it.
const STACK: usize = 64 << 20;

/// How many threads the machine has for us.
pub fn threads() -> NonZero<usize> {
    static THREADS: OnceLock<NonZero<usize>> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let available = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        available.min(NonZero::new(MOST).unwrap_or(NonZero::<usize>::MIN))
    })
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
        std::iter::from_fn(|| take().map(|(at, piece)| (at, work(piece)))).collect()
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
    #[should_panic(expected = "seven")]
    fn a_panic_is_passed_on() {
        let threads = NonZero::new(3).expect("not zero");
        map(threads, (0..20).collect(), |n| assert_ne!(n, 7, "seven"));
    }
}
