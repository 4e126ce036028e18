//! What the kernel shall hold at any moment: what counts, not what the configuration says.
//! A process that applies or goes back beside a watch changes what it watches over.

use std::rc::Rc;

use super::error::record;
use super::{OperationError, Site};
use crate::state::DirectorState;

/// What the kernel shall hold.
#[derive(Debug)]
#[non_exhaustive]
pub enum Expected {
    /// Nothing was ever applied: whatever there is, nobody asked for another state.
    Nothing,
    /// A trial is over and no process ended it, which is the first thing that a session does.
    TrialOver,
    /// A generation.
    Generation(Wanted),
}

/// A generation that the kernel shall hold.
#[derive(Debug)]
pub struct Wanted {
    /// Its number.
    pub generation: u64,
    /// Its state; of one that is tried, with what it holds back.
    pub state: Rc<DirectorState>,
    /// Whether it is a trial.
    pub is_trial: bool,
}

/// Finds out what is wanted; a generation never changes, so its file is read once.
#[derive(Debug, Default)]
pub struct Expectation {
    last: Option<(u64, Rc<DirectorState>)>,
}

impl Expectation {
    /// What the kernel shall hold now.
    ///
    /// # Errors
    /// When the history or the trial cannot be read.
    pub fn now(&mut self, site: &Site<'_>) -> Result<Expected, OperationError> {
        let trial = site.trial_file()?.find().map_err(record("read the trial"))?;
        let head = site.history().head().map_err(record("read the history"))?;
        if let Some(trial) = trial {
            // A trial that counts is over too: the process that confirmed it did not get further.
            if trial.left().is_none() || head == Some(trial.generation) {
                return Ok(Expected::TrialOver);
            }
            let tried = self.state(site, trial.generation)?;
            let state = Rc::new(tried.holding_back(&trial.before));
            let generation = trial.generation;
            return Ok(Expected::Generation(Wanted { generation, state, is_trial: true }));
        }
        let Some(generation) = head else { return Ok(Expected::Nothing) };
        let state = self.state(site, generation)?;
        Ok(Expected::Generation(Wanted { generation, state, is_trial: false }))
    }

    /// What was applied last. A trial that is over counts no more, also before a process has
    /// ended it.
    ///
    /// # Errors
    /// [`OperationError::NothingApplied`]; when the history or the trial cannot be read.
    pub fn applied(&mut self, site: &Site<'_>) -> Result<Rc<DirectorState>, OperationError> {
        let head = match self.now(site)? {
            Expected::Generation(wanted) => return Ok(wanted.state),
            Expected::Nothing => None,
            Expected::TrialOver => site.history().head().map_err(record("read the history"))?,
        };
        self.state(site, head.ok_or(OperationError::NothingApplied)?)
    }

    fn state(
        &mut self,
        site: &Site<'_>,
        generation: u64,
    ) -> Result<Rc<DirectorState>, OperationError> {
        if let Some((number, state)) = &self.last
            && *number == generation
        {
            return Ok(Rc::clone(state));
        }
        let state = Rc::new(site.history().read(generation)?.state);
        self.last = Some((generation, Rc::clone(&state)));
        Ok(state)
    }
}
