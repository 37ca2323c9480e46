//! The verdict of kstatus, from the library that kubectl, Flux and Argo CD's tools use.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::LazyLock,
};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Result, Tools};

/// What kstatus says of an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Verdict {
    /// It can be judged.
    Judged {
        /// `InProgress`, `Current`, `Failed`, `Terminating`, `NotFound` or `Unknown`.
        status: String,
        /// Why.
        #[serde(default)]
        message: String,
    },
    /// It cannot.
    Invalid {
        /// Why.
        error: String,
    },
}

impl Verdict {
    /// The status alone; of an object that cannot be judged, the complaint.
    pub fn status(&self) -> &str {
        match self {
            Self::Judged { status, .. } => status,
            Self::Invalid { error } => error,
        }
    }
}

/// Judges objects, in order. One process does it for all tests of this process.
pub fn judge<T: Serialize>(objects: &[T]) -> Result<Vec<Verdict>> {
    static JUDGE: LazyLock<Mutex<Option<Judge>>> = LazyLock::new(Mutex::default);
    let mut judge = JUDGE.lock();
    let judge = match &mut *judge {
        Some(judge) => judge,
        none => none.insert(Judge::start()?),
    };
    objects.iter().map(|object| judge.one(object)).collect()
}

/// It ends when its stdin closes.
struct Judge {
    _child: Child,
    objects: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Judge {
    fn start() -> Result<Self> {
        let mut command = Tools::get()?.command("kstatus");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run kstatus")?;
        let objects = child.stdin.take().context("no stdin")?;
        let verdicts = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Self {
            _child: child,
            objects,
            verdicts,
        })
    }

    fn one(&mut self, object: &impl Serialize) -> Result<Verdict> {
        let mut line = serde_json::to_vec(object)?;
        line.push(b'\n');
        self.objects.write_all(&line)?;
        let mut verdict = String::new();
        if self.verdicts.read_line(&mut verdict)? == 0 {
            bail!("kstatus has ended");
        }
        Ok(serde_json::from_str(&verdict)?)
    }
}
