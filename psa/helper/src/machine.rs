//! What a machine is from its first boot on: its name, its first settings, its setup code.

use crate::accounts::Accounts;
use crate::generations::{Author, Generations, Record, State};
use crate::store::{Batch, Durable};
use crate::world::{World, hex, random};
use anyhow::Context;
use psa_model::network::{Facts, NetworkSettings};
use psa_model::settings::{Generation, Settings};
use psa_model::setup;
use serde::{Deserialize, Serialize};

const KEY: &str = "machine";

/// Who this machine is. Made once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Random, 128 bits in hexadecimal.
    pub id: String,
    /// `callward-` and the first six digits of the id.
    pub host_name: String,
}

/// Reads the machine's identity; makes it at the first boot.
///
/// # Errors
/// When the store or the kernel's randomness fails.
pub fn identity(store: &Durable, world: &dyn World) -> anyhow::Result<Identity> {
    if let Some(identity) = store.get(KEY).context("read the machine's identity")? {
        return Ok(identity);
    }
    let id = hex(&random::<16>(world)?);
    let digits: String = id.chars().take(6).collect();
    let identity = Identity { id, host_name: format!("callward-{digits}") };
    store.write(Batch::default().put(KEY, &identity)?).context("store the machine's identity")?;
    tracing::info!(host_name = identity.host_name, "First boot of this machine");
    Ok(identity)
}

/// Makes the first generation where there is none, and gives the ports their roles where none was seen before.
///
/// # Errors
/// When the store fails.
pub fn first_settings(store: &Durable, world: &dyn World, facts: &Facts) -> anyhow::Result<()> {
    let generations = Generations(store);
    let current = generations.current().context("read the settings in force")?;
    let network = NetworkSettings::first_boot(facts);
    let (settings, before) = match current {
        None => (Settings { network, ..Settings::default() }, Settings::default()),
        Some(record) if record.settings.network == NetworkSettings::default() && !facts.ports.is_empty() => {
            (Settings { network, ..record.settings.clone() }, record.settings)
        }
        Some(_) => return Ok(()),
    };
    let generation = generations.next()?;
    let why = if generation == Generation::FIRST { "First boot" } else { "First network ports seen" };
    let record = Record {
        generation,
        at: world.now().wall,
        author: Author::system(),
        why: why.into(),
        rows: before.diff(&settings).into_iter().flat_map(|(_, _, rows)| rows).collect(),
        state: State::Confirmed,
        settings,
    };
    generations.keep(&record).context("store the first settings")?;
    tracing::info!(generation = generation.0, ports = facts.ports.len(), "{why}");
    Ok(())
}

/// Makes the one-time setup code where there is neither an account nor a code.
///
/// # Errors
/// When the store or the kernel's randomness fails.
pub fn setup_code(store: &Durable, world: &dyn World) -> anyhow::Result<()> {
    let accounts = Accounts(store);
    if accounts.is_empty()? && accounts.setup_code()?.is_none() {
        let code = setup::make(&random::<{ setup::LENGTH }>(world)?);
        accounts.set_setup_code(&code).context("store the setup code")?;
        tracing::info!("Made a setup code; the console shows it");
    }
    Ok(())
}
