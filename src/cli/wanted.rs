//! What the kernel shall hold at any moment: what counts, not what the configuration
//! says. Who applies or goes back beside a watch changes what it watches over.

use std::rc::Rc;

use super::{Context, record_error};
use crate::error::Error;
use crate::state::DirectorState;

/// What the kernel shall hold.
#[derive(Debug)]
pub(super) enum Expected {
    /// Nothing was ever applied: whatever there is, nobody asked for another state.
    Nothing,
    /// A trial is over and nobody ended it, which is the first thing that a session does.
    TrialOver,
    /// A generation.
    Generation(Wanted),
}

/// A generation that the kernel shall hold.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its number.
    pub(super) generation: u64,
    /// Its state; of one that is tried, with what it holds back.
    pub(super) state: Rc<DirectorState>,
    /// Whether it is a trial.
    pub(super) is_trial: bool,
}

/// Finds out what is wanted; a generation never changes, so its file is read once.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    last: Option<(u64, Rc<DirectorState>)>,
}

impl Expectation {
    /// What the kernel shall hold now.
    ///
    /// # Errors
    /// When the history or the trial cannot be read.
    pub(super) fn now(&mut self, context: &Context) -> Result<Expected, Error> {
        let trial = context.trial_file()?.find().map_err(record_error("read the trial"))?;
        let head = context.history().head().map_err(record_error("read the history"))?;
        if let Some(trial) = trial {
            // Also over is a trial that counts: who confirmed it did not get further.
            if trial.left().is_none() || head == Some(trial.generation) {
                return Ok(Expected::TrialOver);
            }
            let tried = self.state(context, trial.generation)?;
            let state = Rc::new(tried.holding_back(&trial.before));
            let generation = trial.generation;
            return Ok(Expected::Generation(Wanted { generation, state, is_trial: true }));
        }
        let Some(generation) = head else { return Ok(Expected::Nothing) };
        let state = self.state(context, generation)?;
        Ok(Expected::Generation(Wanted { generation, state, is_trial: false }))
    }

    /// What was applied last. A trial that is over counts no more, also before somebody has
    /// ended it.
    ///
    /// # Errors
    /// When nothing ever was, or when the history or the trial cannot be read.
    pub(super) fn applied(&mut self, context: &Context) -> Result<Rc<DirectorState>, Error> {
        let head = match self.now(context)? {
            Expected::Generation(wanted) => return Ok(wanted.state),
            Expected::Nothing => None,
            Expected::TrialOver => {
                context.history().head().map_err(record_error("read the history"))?
            }
        };
        let head = head.ok_or_else(|| Error::Usage {
            message: "nothing was ever applied".to_owned(),
            hint: Some("fwmarkctl apply".to_owned()),
        })?;
        self.state(context, head)
    }

    fn state(&mut self, context: &Context, generation: u64) -> Result<Rc<DirectorState>, Error> {
        if let Some((number, state)) = &self.last
            && *number == generation
        {
            return Ok(Rc::clone(state));
        }
        let state = Rc::new(context.history().read(generation)?.state);
        self.last = Some((generation, Rc::clone(&state)));
        Ok(state)
    }
}
