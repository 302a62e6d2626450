//! Each way to fail to reach a host has words of its own, and a daemon that stalls is told from one
//! that is slow.

use std::time::{Duration, Instant};

use tcloud_model::Deployment;
use tcloud_provider::ConfiguredProvider;
use tcloud_provider::Retry;

use crate::lab::{Lab, address, client, fields};

async fn refused(lab: &Lab, uri: &str) -> String {
    match lab.reach(uri, &Deployment::new("reach")).await {
        Ok(_) => panic!("{uri} is reached"),
        Err(error) => error.message,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_words() {
    let lab = Lab::get();
    let (unix, tls) = (lab.uri("unix"), lab.uri("tls"));
    lab.reach(&tls, &Deployment::new("reach")).await.expect("TLS with the right certificates");
    for (uri, words) in [
        ("qemu+unix:///system?socket=/nowhere/libvirt-sock".to_owned(), "its socket is not there"),
        (tls.replace("pkipath=", "pkipath=/nowhere"), "a certificate or key of ours"),
        (format!("{unix}&no_verify=1"), "never done"),
        ("qemu+ssh://nobody.invalid/system".to_owned(), "not known"),
        ("qemu+ssh://127.0.0.1:1/system".to_owned(), "nothing listens there"),
        ("qemu+tls://127.0.0.1:1/system".to_owned(), "cannot be reached"),
        ("qemu+tcp://127.0.0.1/system".to_owned(), "unencrypted"),
    ] {
        let message = refused(lab, &uri).await;
        assert!(message.contains(words), "{uri}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_may_only_be_read_says_so_when_it_is_asked_to_write() {
    let lab = Lab::get();
    let deployment = Deployment::new("reach");
    let socket = format!("{}-ro", lab.uri("unix"));
    let provider = lab.reach(&socket, &deployment).await.expect("a socket for reading");
    provider.observe().await.expect("a sweep");
    let client = crate::lab::client(&*provider, &deployment);
    let pool = crate::lab::fields(r#"{"type":"dir","path":"/srv/reach"}"#);
    let error = client.create(&crate::lab::address("site.lab.pool.reach"), &pool).await;
    let error = error.expect_err("it may not write");
    assert!(error.message.contains("may only read"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stalls_or_dies_is_told_and_comes_back() {
    // A host of its own: nobody else can use it meanwhile.
    let lab = Lab::start();
    let deployment = Deployment::new("reach");
    let provider = lab.provider(&deployment).await;
    provider.observe().await.expect("a sweep");
    lab.run(&["pause", "1"]).expect("a daemon that stands still");
    let begun = Instant::now();
    let error = provider.observe().await.expect_err("nobody answers");
    // Which of them it is, is a question of whether a connection was open or was to be opened.
    let told = ["stopped answering", "the daemon is stalled"];
    assert!(told.iter().any(|words| error.message.contains(words)), "{}", error.message);
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    let error = refused(&lab, &lab.uri("unix")).await;
    assert!(error.contains("stalled"), "{error}");
    // Also when everybody who could be asked waits for the daemon already; one sweep follows another.
    let begun = Instant::now();
    let many = tokio::join!(provider.observe(), provider.observe(), provider.observe());
    for answer in [many.0, many.1, many.2] {
        let error = answer.expect_err("nobody answers");
        assert!(told.iter().any(|words| error.message.contains(words)), "{}", error.message);
    }
    assert!(begun.elapsed() < Duration::from_secs(150), "{:?}", begun.elapsed());
    // Who asks again for the same does not wait for what has not begun.
    let pool = fields(r#"{"type":"dir","path":"/srv/reach"}"#);
    for _ in 0..2 {
        let client = client(&*provider, &deployment);
        let place = address("site.lab.pool.reach");
        let create = tokio::time::timeout(Duration::from_secs(90), client.create(&place, &pool));
        let error = create.await.expect("an answer").expect_err("nobody answers");
        assert!(error.retry != Retry::Never, "{error:?}");
    }
    lab.run(&["resume", "1"]).expect("a daemon that goes on");
    provider.observe().await.expect("a sweep after the stall");
    lab.run(&["crash", "1"]).expect("a dead daemon");
    let error = provider.observe().await.expect_err("nobody is there");
    assert!(error.retry != Retry::Never, "{error:?}");
    lab.run(&["restart", "1"]).expect("a daemon");
    provider.observe().await.expect("a sweep after the crash");
}

/// A program that runs for long would leave the daemon more and more of them.
#[tokio::test(flavor = "multi_thread")]
async fn connections_end_with_who_asked_for_them() {
    let lab = Lab::start();
    let asked = ["exec", "1", "virt-admin", "srv-clients-info", "libvirtd"];
    let clients = || {
        let said = lab.run(&asked).expect("a daemon");
        let mut lines = said.lines().filter_map(|line| line.split_once(':'));
        let count = lines.find(|(name, _)| name.trim() == "nclients");
        count.and_then(|(_, count)| count.trim().parse::<usize>().ok()).expect("a number")
    };
    for _ in 0..4 {
        let provider = lab.provider(&Deployment::new("reach")).await;
        provider.observe().await.expect("a sweep");
        assert!(clients() > 0, "it has no connection");
    }
    let begun = Instant::now();
    while clients() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} are left", clients());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the machine's processor can run guests is not known here; that every run comes to the same
/// is.
#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_runs_no_guests_is_remembered() {
    let lab = Lab::get();
    let (deployment, uri) = (Deployment::new("trial"), lab.uri("unix"));
    let guest = fields(
        r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios","machine":"q35","running":false}"#,
    );
    let mut types = Vec::new();
    for place in ["tenant.trial.vm.a", "tenant.trial.vm.b"].map(address) {
        let provider = lab.reach_with(&uri, &deployment, &[]).await.expect("a host");
        let client = client(&*provider, &deployment);
        client.create(&place, &guest).await.expect("a guest");
        let xml = lab.virsh(&["dumpxml", client.identity(&place).name.as_str()]);
        types.push(xml.lines().next().expect("a line").to_owned());
        client.delete(&place).await.expect("it is removed");
    }
    assert_eq!(types[0], types[1]);
    let marks = std::fs::read_dir(lab.own().join("images")).into_iter().flatten().flatten();
    let marks = marks.filter(|own| own.file_name().to_string_lossy().starts_with("no-kvm-"));
    let offered = lab.run(&["virsh", "1", "domcapabilities", "--virttype", "kvm"]).is_ok();
    let tried = offered && types[0].contains("qemu");
    assert_eq!(marks.count(), usize::from(tried), "{types:?}");
}

/// What a host says that it has for no guest.
async fn lacks(provider: &dyn ConfiguredProvider) -> Vec<(String, String)> {
    let facts = provider.observe().await.expect("a sweep").facts.expect("its facts");
    let of_guests = facts.lacks.into_iter().filter(|lack| lack.kind == "vm");
    of_guests.map(|lack| (lack.attribute.to_string(), lack.because)).collect()
}

/// What a host has nothing for is told before a guest is made with it.
#[tokio::test(flavor = "multi_thread")]
async fn firmware_and_tpm_are_missing_where_their_packages_are() {
    let deployment = Deployment::new("reach");
    assert_eq!(lacks(&*Lab::get().provider(&deployment).await).await, []);
    // A host of its own, without what the packages bring.
    let lab = Lab::start();
    let hide =
        "mount -t tmpfs none /usr/share/qemu/firmware && mount --bind /dev/null /usr/bin/swtpm";
    lab.run(&["exec", "1", "sh", "-c", hide]).expect("packages are hidden");
    assert_eq!(
        lacks(&*lab.provider(&deployment).await).await,
        [
            ("firmware".to_owned(), "the host has no UEFI firmware".to_owned()),
            ("tpm".to_owned(), "the host cannot imitate a TPM".to_owned())
        ]
    );
}

/// So is a processor that the text relies on.
#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_the_text_names_is_missing() {
    let (deployment, lab) = (Deployment::new("reach"), Lab::start());
    // What libvirt knows of QEMU lies where all laboratories look; this one finds it out itself.
    let hide = "mount -t tmpfs none /var/cache/libvirt; [ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm";
    lab.run(&["exec", "1", "sh", "-c", hide]).expect("the processor is hidden");
    lab.run(&["restart", "1"]).expect("the daemon");
    let provider = lab.reach_with(&lab.uri("unix"), &deployment, &[("accel", "kvm")]).await;
    let provider = provider.expect("a host");
    let because = "the host cannot run guests by its processor, as its accel = \"kvm\" says";
    // Whether it is to run or not.
    let lack = ("running".to_owned(), because.to_owned());
    assert_eq!(lacks(&*provider).await, [lack.clone(), lack]);
    // The apply would have said the same.
    for guest in [
        r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios","running":true}"#,
        r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios","running":false}"#,
    ] {
        let (client, guest) = (client(&*provider, &deployment), fields(guest));
        let made = client.create(&address("tenant.reach.vm.a"), &guest).await;
        let error = made.expect_err("nothing can run it");
        assert!(error.message.contains(because), "{error:?}");
    }
}
