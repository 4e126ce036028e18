//! A run: the record, then the steps; when one fails, the steps are undone from the end.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::error::{Fault, RealServerError};
use super::kernel::{Kernel, Made, Undone};
use super::plan::Plan;
use super::record::{Deed, Deeds, Found, RecordFile, Useless, deeds};
use super::setting::{Device, Setting};
use super::situation::Situation;

/// The real server that this machine is, in the network namespace of this thread.
#[derive(Debug, Clone)]
pub struct RealServer {
    file: RecordFile,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Outcome {
    /// What was made, first to last.
    pub made: Vec<Deed>,
    /// What was undone, first to last.
    pub undone: Vec<Deed>,
    /// What was ours and is not any more, and why.
    pub left: Vec<(Setting, String)>,
    /// There was a record that says nothing of this kernel.
    pub useless: Option<Useless>,
}

impl RealServer {
    /// The real server whose record is in `state_dir`; `boot` is this boot's name.
    ///
    /// # Errors
    /// Where the network namespace cannot be told.
    pub fn new(state_dir: &Path, boot: &str) -> io::Result<Self> {
        Ok(Self { file: RecordFile::new(state_dir, boot)? })
    }

    /// What is ours, first to last, and whether there is a record that says nothing of
    /// this kernel.
    ///
    /// # Errors
    /// [`RealServerError::Damaged`], [`RealServerError::Record`].
    pub fn ours(&self) -> Result<(Vec<Deed>, Option<Useless>), RealServerError> {
        let Found { deeds: ours, useless } = self.file.read()?;
        Ok((deeds(&ours).collect(), useless))
    }

    /// What a run to `wanted` would do. Without anything wanted, that is the way down.
    ///
    /// # Errors
    /// [`RealServerError::Unread`], and as [`RealServer::ours`].
    pub fn plan(&self, wanted: &BTreeSet<Setting>) -> Result<Plan, RealServerError> {
        let ours = self.file.read()?.deeds;
        Ok(Plan::between(&Situation::read()?, &ours, wanted))
    }

    /// Makes it so: what is wanted and not there is made, what is ours and not wanted any
    /// more is undone. Whoever calls it holds the [lock](crate::transaction::Lock).
    ///
    /// # Errors
    /// [`RealServerError`]; what this run had done is undone then, unless it is
    /// [`RealServerError::Incomplete`].
    pub fn up(&self, wanted: &BTreeSet<Setting>) -> Result<Outcome, RealServerError> {
        let Found { deeds: before, useless } = self.file.read()?;
        let mut kernel = Kernel::open().map_err(RealServerError::Unread)?;
        if !wanted.is_empty() {
            let now = Situation::of(&mut kernel).map_err(RealServerError::Unread)?;
            if !now.holds(&Setting::Up { device: Device::Lo }) {
                return Err(RealServerError::LoopbackDown);
            }
        }
        let outcome = Outcome { useless, ..Outcome::default() };
        let mut run = Run { file: &self.file, kernel, ours: before.clone(), outcome };
        match run.lead(wanted) {
            Ok(()) => Ok(run.outcome),
            Err(cause) => Err(run.go_back(before, cause)),
        }
    }

    /// Undoes all that is ours, and nothing else.
    ///
    /// # Errors
    /// As [`RealServer::up`].
    pub fn down(&self) -> Result<Outcome, RealServerError> {
        self.up(&BTreeSet::new())
    }
}

struct Run<'r> {
    file: &'r RecordFile,
    kernel: Kernel,
    /// What is ours by now.
    ours: Deeds,
    outcome: Outcome,
}

impl Run<'_> {
    fn situation(&mut self) -> Result<Situation, RealServerError> {
        Situation::of(&mut self.kernel).map_err(RealServerError::Unread)
    }

    fn lead(&mut self, wanted: &BTreeSet<Setting>) -> Result<(), RealServerError> {
        // A device that is yet to be made has no parameters that could be remembered.
        let is_device = |setting: &&Setting| matches!(setting, Setting::Device { .. });
        let devices = wanted.iter().filter(is_device).copied().collect();
        let plan = Plan::between(&self.situation()?, &Deeds::new(), &devices);
        self.make(&plan.make)?;

        let plan = Plan::between(&self.situation()?, &self.ours, wanted);
        self.make(&plan.make)?;
        for deed in &plan.undo {
            self.undo(deed)?;
        }
        if !plan.undo.is_empty() || self.outcome.useless.is_some() {
            self.file.write(&self.ours)?;
        }
        let now = self.situation()?;
        match wanted.iter().find(|setting| !now.holds(setting)) {
            Some(&setting) => Err(RealServerError::Step { setting, fault: Fault::NotThere }),
            None => Ok(()),
        }
    }

    /// First it is recorded, then done: whoever dies in between leaves a record of too
    /// much, of which nothing is there, and never of too little.
    fn make(&mut self, deeds: &[Deed]) -> Result<(), RealServerError> {
        if deeds.is_empty() {
            return Ok(());
        }
        let mut planned = self.ours.clone();
        planned.extend(deeds.iter().map(|deed| (deed.setting, deed.previous)));
        self.file.write(&planned)?;
        let mut is_exact = true;
        for deed in deeds {
            let Deed { setting, previous } = *deed;
            let made = self.kernel.make(&setting);
            match made.map_err(|fault| RealServerError::Step { setting, fault })? {
                Made::Now => {
                    self.ours.insert(setting, previous);
                    self.outcome.made.push(*deed);
                }
                Made::Before => {
                    self.ours.remove(&setting);
                    is_exact = false;
                }
            }
        }
        if is_exact { Ok(()) } else { self.file.write(&self.ours) }
    }

    fn undo(&mut self, deed: &Deed) -> Result<(), RealServerError> {
        let setting = deed.setting;
        let undone = self.kernel.undo(deed);
        match undone.map_err(|fault| RealServerError::Undo { setting, fault })? {
            Undone::Now => self.outcome.undone.push(*deed),
            Undone::Before => {}
            Undone::Left(why) => self.outcome.left.push((setting, why)),
        }
        self.ours.remove(&setting);
        Ok(())
    }

    /// What this run undid is made again, what it made is undone, and the record is what
    /// it was, with what could not be undone.
    fn go_back(mut self, before: Deeds, cause: RealServerError) -> RealServerError {
        let mut left = Vec::new();
        let mut record = before;
        for deed in self.outcome.undone.iter().rev() {
            if let Err(fault) = self.kernel.make(&deed.setting) {
                left.push(format!("{} is missing ({fault})", deed.setting));
            }
        }
        for deed in self.outcome.made.iter().rev() {
            if let Err(fault) = self.kernel.undo(deed) {
                left.push(format!("{} ({fault})", deed.setting));
                record.insert(deed.setting, deed.previous);
            }
        }
        if let Err(error) = self.file.write(&record) {
            // The one that is there names too much, of which nothing is there any more.
            tracing::warn!("the record of what was done is not exact: {error}");
        }
        if left.is_empty() {
            cause
        } else {
            RealServerError::Incomplete { cause: Box::new(cause), left }
        }
    }
}
