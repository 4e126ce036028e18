//! An interrupted transaction is finished or undone, or given up.

use super::error::record;
use super::observer::Steps;
use super::{Event, OperationError, Session};
use crate::transaction::{Cause, Found, Purpose, Transaction, Useless};

impl Session<'_> {
    /// Finishes or undoes what a transaction left that was interrupted.
    pub(super) fn end_interrupted(&mut self) -> Result<(), OperationError> {
        let intent = match self.run.find().map_err(record("read the journal"))? {
            Found::Nothing => return Ok(()),
            Found::Interrupted(intent) => intent,
            Found::Useless(why) => return self.drop_intent(&why),
        };
        let director = &self.site.director;
        // The kernel's count of commits only grows; the number of a namespace is used again.
        let now = director
            .marking(intent.after.marker, intent.after.is_empty())
            .map_err(Cause::from)?
            .commits;
        if now < intent.began_at {
            return self.drop_intent(&Useless::OtherNamespace);
        }
        let (purpose, generation) = (intent.purpose, intent.generation());
        // A trial that was interrupted goes back, and is no trial from here on. Without its
        // file the intent still says so; without the intent a file would say that it waits.
        if purpose == Purpose::Trial {
            self.trial_file.remove().map_err(record("end the trial"))?;
        }
        let how = {
            let (journal, mut steps) = (self.journal(), Steps(&*self.observer));
            let identity = self.site.identity()?;
            Transaction::new(director, identity, &journal, &mut steps).recover(*intent)?
        };
        self.observer.tell(&Event::Recovered { how, purpose, generation });
        self.note_recovery(how);
        Ok(())
    }

    /// An intent that cannot be used is put out of the way. The kernel is then compared with
    /// what is wanted, as always.
    fn drop_intent(&self, why: &Useless) -> Result<(), OperationError> {
        if *why == Useless::OtherBoot {
            tracing::info!("the journal is dropped: {why}");
            return self.run.remove().map_err(record("remove the journal"));
        }
        let aside = self.run.set_aside().map_err(record("put the journal aside"))?;
        self.observer.tell(&Event::JournalSetAside { why, kept_as: &aside });
        Ok(())
    }

    /// Forgets an interrupted transaction and a trial; the kernel stays as it is. For a
    /// [bare session](super::Site::bare_session).
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn abandon(&self) -> Result<(), OperationError> {
        self.run.remove().map_err(record("remove the journal"))?;
        self.trial_file.remove().map_err(record("end the trial"))
    }
}
