//! The plugin's side, frame by frame.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tcloud_model::{Address, Deployment, Identity, Name, ObjectId, Operation, OperationKind};
use tcloud_plugin::{Service, frame, serve};
use tokio::io::{BufReader, DuplexStream, ReadHalf, WriteHalf, split};

use crate::double::Double;

/// A client that writes frames by hand.
struct Client {
    input: BufReader<ReadHalf<DuplexStream>>,
    output: WriteHalf<DuplexStream>,
}

impl Client {
    fn of(double: Double) -> Client {
        let (own, other) = tokio::io::duplex(1 << 16);
        let (input, output) = split(other);
        tokio::spawn(serve(Service::new(Arc::new(double)), input, output));
        let (input, output) = split(own);
        Client { input: BufReader::new(input), output }
    }

    async fn send(&mut self, text: &str) {
        frame::write(&mut self.output, text.as_bytes()).await.expect("it listens");
    }

    async fn ask(&mut self, id: u64, method: &str, params: Value) {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request.to_string()).await;
    }

    async fn hear(&mut self) -> Value {
        let body = frame::read(&mut self.input).await.expect("a frame").expect("an answer");
        serde_json::from_slice(&body).expect("JSON")
    }

    async fn configure(&mut self) {
        let host = json!({ "host": "host.a", "deployment": Deployment::new("t").id,
            "attributes": {}, "directory": "/nowhere" });
        self.ask(1, "configure", host).await;
        assert_eq!(self.hear().await["result"]["connection"], 1);
    }
}

fn operation(name: &str) -> Value {
    let address: Address = "tenant.a.network.b".parse().expect("an address");
    let host = Address::root("host", "a", None);
    let operation = Operation {
        kind: address.kind().clone(),
        identity: Identity { uuid: Deployment::new(name).id, name: Name::new(name) },
        object: ObjectId { address, host, incarnation: 0 },
        action: OperationKind::Delete,
        references: Vec::new(),
    };
    json!({ "connection": 1, "operation": operation })
}

#[tokio::test]
async fn the_first_message_is_understood_whatever_it_holds_besides() {
    let mut client = Client::of(Double::default());
    let hello = json!({ "client": "tcloud 99", "protocols": [99, 1], "new": { "in": "2040" } });
    client.ask(1, "hello", hello).await;
    let welcome = json!({ "protocol": 1, "name": "double", "version": "1" });
    assert_eq!(client.hear().await["result"], welcome);
    client.ask(2, "hello", json!({ "client": "tcloud 99", "protocols": [99] })).await;
    let message = client.hear().await["error"]["message"].to_string();
    assert!(message.contains("speaks version 1 of the protocol"), "{message}");
}

#[tokio::test]
async fn nonsense_is_answered_and_the_plugin_lives_on() {
    let mut client = Client::of(Double::default());
    client.configure().await;
    for (text, code) in [
        ("{", -32700),
        ("[1]", -32700),
        (r#"{"jsonrpc":"1.0","id":1,"method":"describe","params":{}}"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"describe","params":{}}"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"describe","params":{},"more":1}"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"dance","params":{}}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"describe","params":{"a":1}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"observe","params":{"connection":7}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"by_hand","params":{}}"#, -32602),
    ] {
        client.send(text).await;
        assert_eq!(client.hear().await["error"]["code"], code, "{text}");
    }
    client.send(r#"{"jsonrpc":"2.0","method":"cancel","params":{"request":99}}"#).await;
    client.send(r#"{"jsonrpc":"2.0","method":"rumour","params":{}}"#).await;
    client.ask(3, "describe", json!({})).await;
    assert_eq!(client.hear().await["result"]["name"], "double");
}

#[tokio::test]
async fn requests_finish_in_any_order_and_can_be_given_up() {
    let double = Double::default();
    let dropped = Arc::clone(&double.dropped);
    let mut client = Client::of(double);
    client.configure().await;
    client.ask(2, "apply", operation("slow")).await;
    client.ask(3, "apply", operation("quick")).await;
    assert_eq!(client.hear().await["id"], 3, "the second one is not kept waiting");
    client.send(r#"{"jsonrpc":"2.0","method":"cancel","params":{"request":2}}"#).await;
    let given_up = client.hear().await;
    assert_eq!((&given_up["id"], &given_up["error"]["code"]), (&json!(2), &json!(-32800)));
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "the call has ended when it is answered");
}

#[tokio::test]
async fn failures_and_panics_are_told_apart() {
    let mut client = Client::of(Double::default());
    client.configure().await;
    client.ask(2, "apply", operation("fail")).await;
    let error = client.hear().await["error"].clone();
    assert_eq!(error["message"], "it is busy");
    assert_eq!(error["data"]["retry"], "later");
    assert_eq!(error["data"]["object"]["name"], "fail");
    client.ask(3, "apply", operation("panic")).await;
    assert_eq!(client.hear().await["error"]["code"], -32603);
    client.ask(4, "look", operation("x")).await;
    assert_eq!(client.hear().await["result"]["object"]["name"], "x");
}

#[tokio::test]
async fn a_large_observation_comes_in_pages() {
    let mut client = Client::of(Double { objects: 30_000, ..Double::default() });
    client.configure().await;
    client.ask(2, "observe", json!({ "connection": 1 })).await;
    let mut pages = 0;
    let mut objects = Vec::new();
    loop {
        let message = client.hear().await;
        let part = if message["id"] == 2 { &message["result"] } else { &message["params"] };
        objects.extend(part["objects"].as_array().expect("objects").iter().cloned());
        if message["id"] == 2 {
            break;
        }
        assert_eq!((&message["method"], &part["request"]), (&json!("objects"), &json!(2)));
        pages += 1;
    }
    assert!(pages > 2, "{pages}");
    let names: Vec<_> = objects.iter().map(|object| object["name"].as_str()).collect();
    assert_eq!(names.len(), 30_000);
    assert_eq!(names[29_999], Some("n29999"));
}
