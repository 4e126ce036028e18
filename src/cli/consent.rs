//! Consent: what takes much out of service is shown and asked about, where somebody can
//! answer; elsewhere it is refused. Nothing was changed before, and nobody waits for the
//! lock meanwhile; then all is read and planned again, and another plan than the one that
//! was agreed to is asked about again.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::QueueSelector;

use super::output::{Tone, note};
use super::signals::Signals;
use super::{Context, plan};
use crate::error::Error;
use crate::model::{DirectorSettings, Share};
use crate::plan::{Limit, Loss, Plan, Portion, Unconfirmed};
use crate::state::DirectorState;
use crate::transaction::TransactionError;

/// What somebody has agreed to.
#[derive(Debug, Clone, Default)]
pub(super) struct Consent {
    /// To everything.
    all: bool,
    /// Another bound than that of the configuration.
    bound: Option<Share>,
    /// To what was asked for by name.
    agreed: Loss,
    /// To the plan that was shown.
    seen: Option<Plan>,
}

impl Consent {
    /// As the options of a command say.
    pub(super) fn new(yes: bool, bound: Option<Share>) -> Self {
        Self { all: yes, bound, ..Self::default() }
    }

    /// To one real server, which was named, and its group where it is the last.
    pub(super) fn to_one() -> Self {
        let one = Portion { lost: 1, of: 1 };
        let agreed = Loss { groups: one, real_servers: one, leaves_some: true };
        Self { agreed, ..Self::default() }
    }

    /// How much an apply may take away that leads to what lasts.
    pub(super) fn limit<'a>(
        &'a self,
        director: &DirectorSettings,
        lasting: &'a DirectorState,
    ) -> Option<Limit<'a>> {
        let bound = self.bound.unwrap_or(director.ask_above);
        (!self.all).then_some(Limit {
            bound,
            agreed: self.agreed,
            seen: self.seen.as_ref(),
            lasting,
        })
    }

    /// Does what may need consent, anew when it was given.
    pub(super) fn seek<T>(
        mut self,
        context: &mut Context,
        mut work: impl FnMut(&mut Context, &Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            match work(context, &self) {
                Err(Error::Transaction(TransactionError::Unconfirmed(found)))
                    if can_answer(context) =>
                {
                    ask(context, &found)?;
                    self.seen = Some(found.plan);
                }
                other => return other,
            }
        }
    }
}

/// Whether there is somebody to ask: a person, who sees the question.
pub(super) fn can_answer(context: &Context) -> bool {
    let is_person = io::stdin().is_terminal() && io::stderr().is_terminal();
    is_person && !context.output.is_silent() && context.stdin.is_none()
}

/// Shows what would be done, and asks.
fn ask(context: &mut Context, found: &Unconfirmed) -> Result<(), Error> {
    let signals = context.signals()?;
    let listing = plan::listing(&found.plan, &context.output);
    let takes = context.output.paint(Tone::Bad, format!("This takes {}", found.loss));
    // What was typed before is no answer to it.
    let flushed = rustix::termios::tcflush(io::stdin(), QueueSelector::IFlush);
    tracing::trace!(?flushed, "typed before");
    note(&format!("{listing}{takes} out of service. Apply? [y/N] "));
    context.output.has_told(listing);
    if is_yes(&signals) {
        return Ok(());
    }
    Err(Error::Usage {
        message: "nothing was changed: what would go out of service was not confirmed".to_owned(),
        hint: Some("`fwmarkctl plan` shows it; --yes does it without a question".to_owned()),
    })
}

/// Whether the answer is yes; a signal, or the end of the input, is no.
fn is_yes(signals: &Signals) -> bool {
    let stdin = io::stdin();
    let mut waiting = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
    let came = poll(&mut waiting, None);
    tracing::trace!(?came, "the question");
    if signals.take().is_some() {
        note("\n");
        return false;
    }
    // Not through the buffer of the standard library, which poll(2) does not see.
    let mut typed = [0; 256];
    let typed = rustix::io::read(&stdin, &mut typed).map_or(&[][..], |length| &typed[..length]);
    means_yes(typed)
}

/// Whether what was typed is a yes; anything else is none.
pub(super) fn means_yes(typed: &[u8]) -> bool {
    matches!(typed.trim_ascii(), b"y" | b"Y" | b"yes")
}
