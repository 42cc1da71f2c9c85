//! The thread between a run and whoever watches it: events out, the wish to stop in, and how far along it is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use web_time::Instant;

use super::{Event, Journal, RowName, Stage};
use crate::Error;

/// A wish to stop that reaches a run wherever it waits.
#[derive(Clone, Default)]
pub struct Cancel {
    state: Rc<CancelState>,
}

#[derive(Default)]
struct CancelState {
    wanted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Cancel {
    /// Nobody wishes to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wishes to stop.
    pub fn cancel(&self) {
        self.state.wanted.set(true);
        if let Some(waker) = self.state.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.state.wanted.get()
    }

    /// Waits for `work`, or for the wish to stop, whichever comes first.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], or the work's own.
    pub async fn race<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        struct Race<'a, F> {
            cancel: &'a Cancel,
            work: Pin<&'a mut F>,
        }
        impl<T, F: Future<Output = Result<T, Error>>> Future for Race<'_, F> {
            type Output = Result<T, Error>;
            fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
                if self.cancel.is_cancelled() {
                    return Poll::Ready(Err(Error::Cancelled));
                }
                *self.cancel.state.waker.borrow_mut() = Some(context.waker().clone());
                self.work.as_mut().poll(context)
            }
        }
        let work = pin!(work);
        Race { cancel: self, work }.await
    }
}

type Listener<'a> = RefCell<Box<dyn FnMut(&Event) + 'a>>;

/// Watches one run.
pub struct Monitor<'a> {
    on_event: Listener<'a>,
    cancel: Cancel,
    started: Instant,
    /// Seconds that earlier sittings of the same run have worked.
    before: Cell<f64>,
    pub(super) journal: Option<Journal>,
    /// Expected work of every part still to come or done, in rows read or their like, and in how many goes it comes.
    plan: BTreeMap<(Stage, Option<RowName>), (f64, usize)>,
    finished: f64,
    current: Option<Part>,
    seconds: BTreeMap<String, f64>,
}

struct Part {
    stage: Stage,
    row: Option<RowName>,
    total: usize,
    /// By the run's clock.
    started: f64,
}

impl<'a> Monitor<'a> {
    /// Sends events to `on_event` and stops when `cancel` says so.
    pub fn new(on_event: impl FnMut(&Event) + 'a, cancel: Cancel) -> Self {
        Self {
            on_event: RefCell::new(Box::new(on_event)),
            cancel,
            started: Instant::now(),
            before: Cell::new(0.0),
            journal: None,
            plan: BTreeMap::new(),
            finished: 0.0,
            current: None,
            seconds: BTreeMap::new(),
        }
    }

    /// The wish to stop.
    pub(super) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Sends an event, unless it was sent before the run was interrupted.
    pub fn send(&self, event: &Event) {
        if !self.is_past() {
            (self.on_event.borrow_mut())(event);
        }
    }

    /// Seconds that the run has worked, in all its sittings.
    pub(super) fn clock(&self) -> f64 {
        self.before.get() + self.started.elapsed().as_secs_f64()
    }

    /// Puts the clock to where an earlier sitting had it.
    pub(super) fn set_clock(&self, at: f64) {
        self.before.set(at - self.started.elapsed().as_secs_f64());
    }

    /// Says how much work each part will be, so that progress can be shown for the whole.
    pub(super) fn plan(&mut self, parts: impl IntoIterator<Item = (Stage, Option<RowName>, f64)>) {
        for (stage, row, work) in parts {
            let (sum, goes) = self.plan.entry((stage, row)).or_default();
            *sum += work;
            *goes += 1;
        }
    }

    /// Expected work of one go of a part.
    fn work(&self, stage: Stage, row: Option<RowName>) -> f64 {
        let (work, goes) = self.plan.get(&(stage, row)).copied().unwrap_or_default();
        work / goes.max(1) as f64
    }

    /// A stage begins.
    pub(super) fn begin(&mut self, stage: Stage, row: Option<RowName>, total: usize) {
        self.current = Some(Part {
            stage,
            row,
            total,
            started: self.clock(),
        });
        self.send(&Event::StageStarted {
            stage,
            row,
            total,
            unit: stage.unit(),
        });
    }

    /// `done` of the current stage's total is done; lets whoever watches breathe, and hears the wish to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`].
    pub(super) async fn tick(&mut self, done: usize) -> Result<(), Error> {
        if let Some(part) = &self.current {
            let share = done as f64 / part.total.max(1) as f64;
            let all: f64 = self.plan.values().map(|(work, _)| work).sum();
            let work = self.work(part.stage, part.row);
            let overall = ((self.finished + work * share.min(1.0)) / all.max(f64::MIN_POSITIVE))
                .clamp(0.0, 1.0);
            let elapsed = self.clock();
            let event = Event::Progress {
                stage: part.stage,
                row: part.row,
                done,
                total: part.total,
                // Earlier than this a guess would jump about.
                seconds_left: (overall > 0.02).then(|| elapsed * (1.0 - overall) / overall),
                overall,
            };
            self.send(&event);
        }
        self.breathe().await
    }

    /// Gives the event loop of the tab a turn, so that messages (Stop among them) are heard between two steps.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`].
    pub(super) async fn breathe(&self) -> Result<(), Error> {
        #[cfg(target_arch = "wasm32")]
        gloo_timers::future::TimeoutFuture::new(0).await;
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// Waits for work that may be given up half-way, as an answer from a network, or for the wish to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], or the work's own.
    pub(super) async fn race<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.cancel.race(work).await
    }

    /// Waits for work of the device to its end, and then says if the run is to stop. A reading that is given up half-way
    /// would leave the device's queue waiting for somebody to fetch it, and the next run with it.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], or the work's own.
    pub async fn whole<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = work.await?;
        match self.cancel.is_cancelled() {
            true => Err(Error::Cancelled),
            false => Ok(done),
        }
    }

    /// The current stage is over.
    pub(super) fn end(&mut self) {
        if let Some(part) = self.current.take() {
            let seconds = self.clock() - part.started;
            *self.seconds.entry(part.stage.name().into()).or_default() += seconds;
            self.finished += self.work(part.stage, part.row);
            self.send(&Event::StageFinished {
                stage: part.stage,
                row: part.row,
                seconds,
            });
        }
    }

    /// Seconds of each stage so far.
    pub(super) fn seconds(&self) -> BTreeMap<String, f64> {
        self.seconds.clone()
    }
}
