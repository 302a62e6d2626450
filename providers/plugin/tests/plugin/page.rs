//! The messages of the book's page are messages, and answered as the page says.

use serde::de::DeserializeOwned;
use tcloud_plugin::message::{
    Answer, ByHandRequest, Cancel, Configured, Done, FromPlugin, Hello, Nothing, Objects, Observed,
    OfOperation, OnConnection, Progress, ToPlugin, Welcome, method,
};
use tcloud_provider::{Description, HostConfig};

fn read<T: DeserializeOwned>(text: &str) {
    if let Err(error) = serde_json::from_str::<T>(text) {
        panic!("{error}: {text}");
    }
}

#[test]
fn every_message_of_the_page_can_be_read() {
    let page = include_str!("../../../../book/src/operations/providers.md");
    let blocks: Vec<&str> = page.split("```json\n").skip(1).collect();
    assert!(blocks.len() > 15);
    let mut asked = std::collections::BTreeMap::new();
    for block in blocks {
        let text = block.split("```").next().expect("an end");
        if let Ok(message) = serde_json::from_str::<ToPlugin<'_>>(text)
            && !matches!(message.method.as_ref(), method::OBJECTS | method::PROGRESS)
        {
            let params = message.params.get();
            match message.method.as_ref() {
                method::HELLO => read::<Hello>(params),
                method::DESCRIBE => read::<Nothing>(params),
                method::CONFIGURE => read::<HostConfig>(params),
                method::OBSERVE | method::SHUTDOWN => read::<OnConnection>(params),
                method::APPLY | method::LOOK => read::<OfOperation>(params),
                method::CANCEL => read::<Cancel>(params),
                method::BY_HAND => read::<ByHandRequest>(params),
                other => panic!("{other}"),
            }
            message.id.map(|id| asked.insert(id, message.method.into_owned()));
            continue;
        }
        let answer: FromPlugin<'_> = match serde_json::from_str(text) {
            Ok(answer) => answer,
            Err(error) => panic!("{error}: {text}"),
        };
        let params = answer.params.map(|params| params.get());
        match (answer.id, answer.method.as_deref(), params) {
            (None, Some(method::OBJECTS), Some(params)) => read::<Objects>(params),
            (None, Some(method::PROGRESS), Some(params)) => read::<Progress>(params),
            (Some(id), None, None) => {
                let Some(result) = answer.result.map(|result| result.get()) else {
                    assert!(answer.error.is_some(), "{text}");
                    continue;
                };
                match asked.get(&id).map(String::as_str) {
                    Some(method::HELLO) => read::<Welcome>(result),
                    Some(method::DESCRIBE) => read::<Description>(result),
                    Some(method::CONFIGURE) => read::<Configured>(result),
                    Some(method::OBSERVE) => read::<Observed>(result),
                    Some(method::APPLY) => read::<Answer>(result),
                    Some(method::SHUTDOWN) => read::<Nothing>(result),
                    Some(method::BY_HAND) => read::<Done>(result),
                    other => panic!("{other:?}: {text}"),
                }
            }
            other => panic!("{other:?}: {text}"),
        }
    }
}
