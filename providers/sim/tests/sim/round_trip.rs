//! What was asked for is what is seen, and asking twice is asking once.

use crate::rig::{NETWORK, Rig, VM, VOLUME, WORLD, address, attributes};

#[tokio::test]
async fn what_is_created_is_observed_and_creating_twice_is_creating_once() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let before = rig.dump();
    for (place, json) in WORLD {
        let place = address(place);
        let seen = client.observe(&place).await.expect("a sweep").expect("it is there");
        assert_eq!(*seen.attributes, attributes(json), "{place}");
        assert_eq!(seen.stamp, Some(client.stamp(&place, &attributes(json))), "{place}");
        assert!(seen.pending.is_empty(), "{place}");
        let again = client.create(&place, &attributes(json)).await.expect("it is there already");
        assert_eq!(again.as_ref(), Some(&seen));
        let looked = host.look(&client.creation(&place, &attributes(json))).await;
        assert_eq!(looked.expect("a look"), Some(seen));
    }
    assert_eq!(rig.dump(), before);
}

#[tokio::test]
async fn everything_can_be_deleted_in_the_right_order_only() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let error = client.delete(&address(VOLUME)).await.expect_err("a volume that is in use");
    assert_eq!(error.message, r#"volume "t.volume-data" is in use by guest "t.web""#);
    assert_eq!(error.object.map(|object| object.name), Some("t.volume-data".into()));
    client.delete(&address(NETWORK)).await.expect_err("a network with a running guest");
    client.delete(&address(VM)).await.expect("a guest is deleted");
    for (place, _) in WORLD.iter().rev() {
        assert_eq!(client.delete(&address(place)).await.expect(place), None);
    }
    assert!(host.observe().await.expect("a sweep").objects.is_empty());
}
