//! Clients that are there, and neither publish nor count: what a broker has to carry besides.

use anyhow::{Context, Result};
use headwater::topic::TopicFilterBuf;

use crate::client::{Client, Clock};
use crate::memory;
use crate::options::Options;

/// How many subscriptions with wildcards one client has: most brokers have a limit.
const FILTERS_A_CLIENT: u32 = 1_000;

/// They stay as long as this does.
#[derive(Debug)]
pub(crate) struct Bystanders {
    _clients: Vec<Client>,
    /// How much memory the broker took for each idle connection.
    pub(crate) idle_bytes: Option<f64>,
}

impl Bystanders {
    /// Connects those that the options ask for.
    pub(crate) async fn connect(options: &Options, clock: Clock) -> Result<Self> {
        let mut clients = Vec::new();
        let resident = || options.broker_pid.map(memory::resident_bytes).transpose();
        let before = resident()?;
        for number in 0..options.idle {
            clients.push(Client::connect(options, clock, "i", number).await?);
        }
        let grown = resident()?.zip(before).map(|(after, before)| after.saturating_sub(before));
        let idle_bytes =
            grown.filter(|_| options.idle > 0).map(|bytes| bytes as f64 / f64::from(options.idle));

        for number in 0..options.wildcards.div_ceil(FILTERS_A_CLIENT) {
            let first = number * FILTERS_A_CLIENT;
            let filters = (first..options.wildcards.min(first + FILTERS_A_CLIENT)).map(strange_filter);
            let filters: Vec<TopicFilterBuf> = filters.collect::<Result<_>>()?;
            let mut client = Client::connect(options, clock, "w", number).await?;
            client.subscribe(&filters, options.qos).await?;
            clients.push(client);
        }

        for number in 0..options.deaf {
            let mut client = Client::connect(options, clock, "d", number).await?;
            let all = (0..options.topic_count()).map(|topic| filter(options.topic(topic)?.as_str()));
            // It has read its SUBACK, and reads nothing more.
            client.subscribe(&all.collect::<Result<Vec<_>>>()?, options.qos).await?;
            clients.push(client);
        }
        Ok(Self { _clients: clients, idle_bytes })
    }
}

fn filter(text: &str) -> Result<TopicFilterBuf> {
    TopicFilterBuf::parse(text).with_context(|| format!("{text} is no filter"))
}

/// A filter that matches nothing of what is published to `load/{}`, though it begins as if it could.
fn strange_filter(number: u32) -> Result<TopicFilterBuf> {
    filter(&match number % 3 {
        0 => format!("load/+/{number}"),
        1 => format!("+/w{number}/#"),
        _ => format!("load/w{number}/+"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bystanders_with_wildcards_get_nothing() -> Result<()> {
        let topic = headwater::topic::TopicNameBuf::parse("load/7")?;
        for number in 0..1_000 {
            assert!(!strange_filter(number)?.as_filter().matches(topic.as_name()), "{number}");
        }
        Ok(())
    }
}
