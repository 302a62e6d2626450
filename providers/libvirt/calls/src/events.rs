//! The event loop that libvirt needs for its keepalives. A caller waits for its answer itself, and
//! switches the connection's handle off and on again around that; the loop that libvirt brings along
//! is woken each time. Here the kernel is told, and nobody is woken.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, c_void};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use virt_sys as sys;

/// The number of what wakes the loop; handles and timers have others.
const WAKER: c_int = 0;

/// How many handles are looked at in one turn.
const AT_ONCE: usize = 16;

/// How long the loop rests when a handle was ready. Threads that share a connection hand over the
/// reading, and its handle is on until the next one has woken up: what comes meanwhile is for that
/// thread, and would be looked at again and again. Nothing here is in a hurry.
const REST: Duration = Duration::from_millis(10);

static LOOP: OnceLock<Loop> = OnceLock::new();

/// Gives libvirt the loop, which runs on a thread of its own as long as the process. It has to be
/// there before the first connection is opened; to ask for it again does nothing.
///
/// # Errors
/// When there is no thread or file for it: connections have no keepalive then.
pub fn serve() -> io::Result<()> {
    if LOOP.get().is_some() {
        return Ok(());
    }
    let made = Loop::new()?;
    let mut first = false;
    let own = LOOP.get_or_init(|| {
        first = true;
        made
    });
    if first {
        thread::Builder::new().name("libvirt-events".to_owned()).spawn(|| own.run())?;
        // SAFETY: they are functions, which live for ever, and libvirt may call them from any thread.
        unsafe {
            sys::virEventRegisterImpl(
                Some(add_handle),
                Some(update_handle),
                Some(remove_handle),
                Some(add_timeout),
                Some(update_timeout),
                Some(remove_timeout),
            );
        }
    }
    Ok(())
}

struct Loop {
    epoll: OwnedFd,
    waker: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: c_int,
    handles: HashMap<c_int, Handle>,
    timers: HashMap<c_int, Timer>,
    /// What belonged to something that was taken out. Whoever took it out may hold locks that freeing
    /// it needs, so the loop does that.
    gone: Vec<Opaque>,
    /// When the loop looks again by itself.
    until: Option<Instant>,
}

/// A file, and what is called when something is to be done with it.
#[derive(Clone, Copy)]
struct Handle {
    file: c_int,
    /// What is waited for; nothing when it is off.
    flags: EventFlags,
    callback: sys::virEventHandleCallback,
    opaque: Opaque,
}

/// Something that is called now and then.
#[derive(Clone, Copy)]
struct Timer {
    every: Duration,
    /// When next; `None` when it is off.
    due: Option<Instant>,
    callback: sys::virEventTimeoutCallback,
    opaque: Opaque,
}

/// What a callback is given.
#[derive(Clone, Copy)]
struct Opaque {
    pointer: *mut c_void,
    free: sys::virFreeCallback,
}

// SAFETY: nobody here looks behind the pointer. libvirt's callbacks do, which lock what they need.
unsafe impl Send for Opaque {}

impl Loop {
    fn new() -> io::Result<Loop> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &waker, data(WAKER), EventFlags::IN)?;
        Ok(Loop { epoll, waker, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It fails only when it was woken often already.
        let _ = rustix::io::write(&self.waker, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut ready = Vec::with_capacity(AT_ONCE);
        loop {
            self.turn(&mut ready);
        }
    }

    /// Waits until there is something to do, and does it.
    fn turn(&self, ready: &mut Vec<epoll::Event>) {
        let timeout = self.lock().timeout();
        // A signal is a reason to look again.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), timeout.as_ref());
        let mut rest = Duration::ZERO;
        for event in ready.drain(..) {
            match c_int::try_from(event.data.u64()).unwrap_or(WAKER) {
                WAKER => {
                    let _ = rustix::io::read(&self.waker, &mut [0; 8]);
                }
                watch => {
                    self.ready(watch, event.flags);
                    rest = REST;
                }
            }
        }
        let due = self.lock().due();
        due.into_iter().for_each(|timer| self.ring(timer));
        let gone = std::mem::take(&mut self.lock().gone);
        gone.into_iter().for_each(Opaque::free);
        thread::sleep(rest);
    }

    fn ready(&self, watch: c_int, flags: EventFlags) {
        // It may have been switched off or taken out meanwhile.
        let found = self.lock().handles.get(&watch).copied();
        let Some(Handle { file, callback, opaque, .. }) = found.filter(Handle::is_on) else {
            return;
        };
        if let Some(callback) = callback {
            // SAFETY: it is called as it was registered; what it is given is freed on this thread
            // only, and later.
            unsafe { callback(watch, file, events(flags), opaque.pointer) };
        }
    }

    fn ring(&self, timer: c_int) {
        let found = self.lock().timers.get(&timer).copied();
        let Some(Timer { callback: Some(callback), opaque, .. }) = found else { return };
        // SAFETY: as above.
        unsafe { callback(timer, opaque.pointer) };
    }

    fn add_handle(
        &self,
        file: c_int,
        wanted: c_int,
        callback: sys::virEventHandleCallback,
        opaque: Opaque,
    ) -> io::Result<c_int> {
        let mut state = self.lock();
        let watch = state.next();
        let mut handle = Handle { file, flags: EventFlags::empty(), callback, opaque };
        self.switch(watch, &mut handle, wanted)?;
        state.handles.insert(watch, handle);
        Ok(watch)
    }

    fn update_handle(&self, watch: c_int, wanted: c_int) {
        if let Some(handle) = self.lock().handles.get_mut(&watch) {
            // A file that was closed is gone from the kernel's list already.
            let _ = self.switch(watch, handle, wanted);
        }
    }

    fn remove_handle(&self, watch: c_int) -> bool {
        let mut state = self.lock();
        let Some(mut handle) = state.handles.remove(&watch) else { return false };
        let _ = self.switch(watch, &mut handle, 0);
        state.gone.push(handle.opaque);
        self.wake();
        true
    }

    /// Waits for something else. What is off is not on the kernel's list, which would tell of its end.
    fn switch(&self, watch: c_int, handle: &mut Handle, wanted: c_int) -> io::Result<()> {
        let wanted = flags(wanted);
        let before = std::mem::replace(&mut handle.flags, wanted);
        // SAFETY: libvirt takes a handle out before it closes the file.
        let file = unsafe { BorrowedFd::borrow_raw(handle.file) };
        match (before.is_empty(), wanted.is_empty()) {
            (true, true) => {}
            (true, false) => epoll::add(&self.epoll, file, data(watch), wanted)?,
            (false, true) => epoll::delete(&self.epoll, file)?,
            (false, false) => epoll::modify(&self.epoll, file, data(watch), wanted)?,
        }
        Ok(())
    }

    fn add_timeout(
        &self,
        every: c_int,
        callback: sys::virEventTimeoutCallback,
        opaque: Opaque,
    ) -> c_int {
        let mut state = self.lock();
        let number = state.next();
        state.timers.insert(number, Timer { every: Duration::ZERO, due: None, callback, opaque });
        self.set(&mut state, number, every);
        number
    }

    /// Sets a timer to so many milliseconds from now, or off. The loop is woken only if it would come
    /// too late by itself: keepalives are put off with every answer.
    fn set(&self, state: &mut State, number: c_int, every: c_int) {
        let Some(timer) = state.timers.get_mut(&number) else { return };
        let every = u64::try_from(every).ok().map(Duration::from_millis);
        timer.every = every.unwrap_or_default();
        timer.due = every.map(|every| Instant::now() + every);
        if timer.due.is_some_and(|due| state.until.is_none_or(|until| due < until)) {
            self.wake();
        }
    }

    fn remove_timeout(&self, number: c_int) -> bool {
        let mut state = self.lock();
        let Some(timer) = state.timers.remove(&number) else { return false };
        state.gone.push(timer.opaque);
        self.wake();
        true
    }
}

impl State {
    /// A number that nothing has.
    fn next(&mut self) -> c_int {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(WAKER + 1);
            if !self.handles.contains_key(&self.last) && !self.timers.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// How long the loop waits; `None` until it is woken.
    fn timeout(&mut self) -> Option<Timespec> {
        self.until = self.timers.values().filter_map(|timer| timer.due).min();
        let wait = self.until?.saturating_duration_since(Instant::now());
        Timespec::try_from(wait).ok()
    }

    /// The timers whose time has come. Each is set to its next time.
    fn due(&mut self) -> Vec<c_int> {
        let now = Instant::now();
        let mut all = Vec::new();
        for (number, timer) in &mut self.timers {
            if timer.due.is_some_and(|due| due <= now) {
                timer.due = Some(now + timer.every);
                all.push(*number);
            }
        }
        all
    }
}

impl Handle {
    fn is_on(&self) -> bool {
        !self.flags.is_empty()
    }
}

impl Opaque {
    fn free(self) {
        if let Some(free) = self.free {
            // SAFETY: it is the function that came with the pointer, and is called once.
            unsafe { free(self.pointer) };
        }
    }
}

fn data(number: c_int) -> EventData {
    EventData::new_u64(u64::try_from(number).unwrap_or_default())
}

/// libvirt's words for what can be waited for, and the kernel's.
const WORDS: [(sys::virEventHandleType, EventFlags); 4] = [
    (sys::VIR_EVENT_HANDLE_READABLE, EventFlags::IN),
    (sys::VIR_EVENT_HANDLE_WRITABLE, EventFlags::OUT),
    (sys::VIR_EVENT_HANDLE_ERROR, EventFlags::ERR),
    (sys::VIR_EVENT_HANDLE_HANGUP, EventFlags::HUP),
];

fn flags(events: c_int) -> EventFlags {
    let is_in = |(word, _): &&(sys::virEventHandleType, _)| events & *word as c_int != 0;
    WORDS.iter().filter(is_in).map(|(_, flag)| *flag).collect()
}

fn events(flags: EventFlags) -> c_int {
    let is_in = |(_, flag): &&(_, EventFlags)| flags.contains(*flag);
    WORDS.iter().filter(is_in).fold(0, |events, (word, _)| events | *word as c_int)
}

unsafe extern "C" fn add_handle(
    file: c_int,
    events: c_int,
    callback: sys::virEventHandleCallback,
    pointer: *mut c_void,
    free: sys::virFreeCallback,
) -> c_int {
    let own = LOOP.get();
    let added =
        own.and_then(|own| own.add_handle(file, events, callback, Opaque { pointer, free }).ok());
    added.unwrap_or(-1)
}

unsafe extern "C" fn update_handle(watch: c_int, events: c_int) {
    if let Some(own) = LOOP.get() {
        own.update_handle(watch, events);
    }
}

unsafe extern "C" fn remove_handle(watch: c_int) -> c_int {
    done(LOOP.get().is_some_and(|own| own.remove_handle(watch)))
}

unsafe extern "C" fn add_timeout(
    every: c_int,
    callback: sys::virEventTimeoutCallback,
    pointer: *mut c_void,
    free: sys::virFreeCallback,
) -> c_int {
    LOOP.get().map_or(-1, |own| own.add_timeout(every, callback, Opaque { pointer, free }))
}

unsafe extern "C" fn update_timeout(timer: c_int, every: c_int) {
    if let Some(own) = LOOP.get() {
        own.set(&mut own.lock(), timer, every);
    }
}

unsafe extern "C" fn remove_timeout(timer: c_int) -> c_int {
    done(LOOP.get().is_some_and(|own| own.remove_timeout(timer)))
}

fn done(done: bool) -> c_int {
    if done { 0 } else { -1 }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often something was called, and freed.
    #[derive(Default)]
    struct Calls {
        called: AtomicUsize,
        freed: AtomicUsize,
    }

    impl Calls {
        fn opaque(&self) -> Opaque {
            Opaque { pointer: std::ptr::from_ref(self).cast_mut().cast(), free: Some(freed) }
        }

        fn counts(&self) -> (usize, usize) {
            (self.called.load(Ordering::SeqCst), self.freed.load(Ordering::SeqCst))
        }
    }

    fn calls<'a>(pointer: *mut c_void) -> &'a Calls {
        // SAFETY: the tests give nothing else, and keep it to their end.
        unsafe { &*pointer.cast::<Calls>() }
    }

    unsafe extern "C" fn called(_: c_int, _: c_int, events: c_int, pointer: *mut c_void) {
        assert_eq!(events, sys::VIR_EVENT_HANDLE_READABLE as c_int);
        calls(pointer).called.fetch_add(1, Ordering::SeqCst);
    }

    unsafe extern "C" fn rung(_: c_int, pointer: *mut c_void) {
        calls(pointer).called.fetch_add(1, Ordering::SeqCst);
    }

    unsafe extern "C" fn freed(pointer: *mut c_void) {
        calls(pointer).freed.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets the loop do what there is to do now.
    fn turn(own: &Loop) {
        own.wake();
        own.turn(&mut Vec::with_capacity(AT_ONCE));
    }

    #[test]
    fn a_handle_is_called_while_it_is_on_and_freed_once() {
        let (own, count) = (Loop::new().expect("files"), Calls::default());
        let (mut here, there) = UnixStream::pair().expect("files");
        let readable = sys::VIR_EVENT_HANDLE_READABLE as c_int;
        let add = || own.add_handle(there.as_raw_fd(), readable, Some(called), count.opaque());
        let watch = add().expect("a handle");
        turn(&own);
        assert_eq!(count.counts(), (0, 0));
        here.write_all(b"x").expect("written");
        turn(&own);
        assert_eq!(count.counts(), (1, 0));
        own.update_handle(watch, 0);
        turn(&own);
        assert_eq!(count.counts(), (1, 0));
        own.update_handle(watch, readable);
        turn(&own);
        assert_eq!(count.counts(), (2, 0));
        assert!(own.remove_handle(watch) && !own.remove_handle(watch));
        turn(&own);
        turn(&own);
        assert_eq!(count.counts(), (2, 1));
    }

    #[test]
    fn the_end_of_what_is_off_wakes_nobody() {
        let (own, count) = (Loop::new().expect("files"), Calls::default());
        let (here, there) = UnixStream::pair().expect("files");
        let readable = sys::VIR_EVENT_HANDLE_READABLE as c_int;
        let added = own.add_handle(there.as_raw_fd(), readable, Some(called), count.opaque());
        own.update_handle(added.expect("a handle"), 0);
        drop(here);
        let mut ready = Vec::with_capacity(AT_ONCE);
        let now = Timespec::try_from(Duration::ZERO).expect("no time");
        let found = epoll::wait(&own.epoll, spare_capacity(&mut ready), Some(&now));
        assert_eq!(found.expect("a look"), 0);
    }

    #[test]
    fn a_timer_rings_until_it_is_off() {
        let (own, count) = (Loop::new().expect("files"), Calls::default());
        let timer = own.add_timeout(-1, Some(rung), count.opaque());
        turn(&own);
        assert_eq!(count.counts(), (0, 0));
        own.set(&mut own.lock(), timer, 1);
        // Once for having been woken, and once for its time.
        let mut ready = Vec::with_capacity(AT_ONCE);
        while count.counts().0 < 2 {
            own.turn(&mut ready);
        }
        own.set(&mut own.lock(), timer, -1);
        assert!(own.lock().timeout().is_none());
        assert!(own.remove_timeout(timer) && !own.remove_timeout(timer));
        turn(&own);
        assert_eq!(count.counts(), (2, 1));
    }

    #[test]
    fn only_what_comes_sooner_wakes_the_loop() {
        let (own, count) = (Loop::new().expect("files"), Calls::default());
        let timer = own.add_timeout(60_000, Some(rung), count.opaque());
        turn(&own);
        let woken = |own: &Loop| rustix::io::read(&own.waker, &mut [0; 8]).is_ok();
        assert!(!woken(&own) && own.lock().timeout().is_some());
        own.set(&mut own.lock(), timer, 70_000);
        assert!(!woken(&own));
        own.set(&mut own.lock(), timer, 1_000);
        assert!(woken(&own));
    }
}
