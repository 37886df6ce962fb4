//! The SQL Server instances, and what those that are asked answer.

use guard::ask::{Devices, Running, Unanswered};
use guard::{Ask, Place};

use crate::account::Simulation;
use crate::noise::Noise;
use crate::truth::Asked;
use crate::world::World;

/// An instance that backs up to the account.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) asked: bool,
    /// It lost power and is not back yet.
    pub(crate) down_until: u64,
}

impl Instance {
    pub(crate) fn new(number: usize, asked: bool) -> Self {
        Self {
            name: format!("sql{number}"),
            asked,
            down_until: 0,
        }
    }
}

impl Ask for Simulation {
    async fn running(&self) -> Result<Vec<Running>, Unanswered> {
        self.travel().await;
        let answer = self.world().ask();
        self.travel().await;
        answer
    }
}

impl World {
    fn ask(&mut self) -> Result<Vec<Running>, Unanswered> {
        let down = self
            .instances
            .iter()
            .find(|instance| instance.asked && self.now < instance.down_until);
        let silent = match down {
            Some(instance) => Some((instance.name.clone(), "no answer")),
            None if self.faulty && self.noise.chance(self.plan.faults) => {
                Some((self.instances[0].name.clone(), "login failed"))
            }
            None => None,
        };
        if let Some((server, reason)) = silent {
            self.truth.asked(Asked::silent(self.now));
            return Err(Unanswered {
                server,
                reason: reason.to_owned(),
            });
        }
        let mut running = Vec::new();
        let mut asked = Asked::silent(self.now);
        asked.answered = true;
        for (index, holder) in self.holders.iter().enumerate() {
            let Some(statement) = &holder.statement else {
                continue;
            };
            let Some(instance) = holder.instance.map(|instance| &self.instances[instance]) else {
                continue;
            };
            if !instance.asked || self.now >= statement.until {
                continue;
            }
            asked.hidden |= statement.devices == Devices::Hidden;
            asked.holders.insert(index);
            asked.places.insert(holder.place.clone());
            running.push(Running {
                server: instance.name.clone(),
                session: statement.session,
                command: statement.command.to_owned(),
                devices: statement.devices.clone(),
            });
        }
        self.truth.asked(asked);
        Ok(running)
    }
}

/// A URL of the blob as people write it in a statement: every one of these reaches it.
pub(crate) fn spelled(noise: &mut Noise, place: &Place) -> String {
    let host = *noise.one(&[
        "https://vault.blob.core.windows.net",
        "HTTPS://Vault.Blob.Core.Windows.Net",
        "https://vault.privatelink.blob.core.windows.net",
        "https://vault.blob.core.windows.net:443",
        "http://127.0.0.1:10000/devstoreaccount1",
    ]);
    let encoded = |text: &str, plain: fn(u8) -> bool| -> String {
        let mut out = String::new();
        for byte in text.bytes() {
            if plain(byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        out
    };
    let usual: fn(u8) -> bool = |byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let strict: fn(u8) -> bool = |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let must_be_encoded = place.blob.contains(['%', '?', '#']);
    let blob = match noise.below(4) {
        0 if !must_be_encoded => place.blob.clone(),
        0 | 1 => encoded(&place.blob, usual),
        2 => encoded(&place.blob, usual)
            .replace("%C3%A4", "%c3%a4")
            .replace("%2F", "/"),
        _ => encoded(&place.blob, strict),
    };
    if place.container == "$root" && noise.chance(500) && !place.blob.contains('/') {
        return format!("{host}/{blob}");
    }
    let container = match noise.below(4) {
        0 if place.container != "$root" => place.container.to_uppercase(),
        1 => encoded(&place.container, strict),
        _ => place.container.clone(),
    };
    format!("{host}/{container}/{blob}")
}
