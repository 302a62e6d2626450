//! Storage pools. What is in a pool is never deleted with it: it is stopped and forgotten, and only
//! once our volumes are gone.

use tcloud_model::kinds::{PoolSource, STOPPED};
use tcloud_model::{Fields, Name, ObservedObject, Operation, OperationKind, Stamp, Value};
use uuid::Uuid;
use virt::storage_pool::StoragePool;
use virt_sys::{VIR_STORAGE_POOL_CREATE_NORMAL, VIR_STORAGE_XML_INACTIVE};

use crate::failure::{Absent, Failure, quoted};
use crate::kept::Kept;
use crate::site::{Call, shown_kind};
use crate::stamp::{self, Note, Place, Sealed};
use crate::xml::Element;

/// Whether a pool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// It does.
    Runs,
    /// It does not, and starts with its host.
    Waits,
    /// It does not.
    Rests,
}

impl Power {
    /// Of a pool that is active or not.
    pub(crate) fn of(pool: &StoragePool, active: bool) -> Result<Power, Failure> {
        Ok(match active {
            true => Power::Runs,
            false if pool.get_autostart().or_absent()? == Some(true) => Power::Waits,
            false => Power::Rests,
        })
    }
}

/// What libvirt cannot remember about a pool.
const KEPT: [&str; 1] = ["capacity"];

impl Call<'_> {
    /// Carries out an operation on a pool.
    pub(crate) fn apply_pool(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        let Operation { identity, action, .. } = operation;
        match action {
            OperationKind::Create { attributes, stamp } => {
                self.create_pool(operation, attributes, stamp)?;
            }
            OperationKind::Update { attributes, stamp, .. } => {
                self.own_pool(operation)?;
                self.create_pool(operation, attributes, stamp)?;
            }
            OperationKind::Delete => self.delete_pool(operation)?,
            OperationKind::Stamp { stamp, adopt } => {
                let (pool, note) = match adopt {
                    true => self.adoptable_pool(operation)?,
                    false => self.own_pool(operation)?,
                };
                let idle = match &note {
                    Some(note) => note.idle,
                    None => !pool.is_active()? && !pool.get_autostart()?,
                };
                let kept = note.map(|note| note.kept).unwrap_or_default();
                let note = Note { idle, ..Note::new(stamp, kept) };
                stamp::seal(self.connect, pool.get_uuid()?, &Place::Pool(pool.get_name()?), &note)?;
            }
            OperationKind::Unstamp => {
                if let Some(pool) = self.pool(identity.uuid)?
                    && self.pool_note(&pool)?.is_some()
                {
                    let (pool, _) = self.own_pool(operation)?;
                    stamp::unseal(self.connect, &Place::Pool(pool.get_name()?))?;
                }
            }
            OperationKind::Migrate { .. } => return Failure::refused("a pool does not move"),
        }
        self.look_pool(identity.uuid)
    }

    /// A pool as it is now.
    pub(crate) fn look_pool(&self, uuid: Uuid) -> Result<Option<ObservedObject>, Failure> {
        let Some(pool) = self.pool(uuid)? else { return Ok(None) };
        let note = self.pool_note(&pool)?;
        Ok(Some(observed(&definition(&pool)?, uuid, note, Power::of(&pool, pool.is_active()?)?)))
    }

    fn pool(&self, uuid: Uuid) -> Result<Option<StoragePool>, Failure> {
        StoragePool::lookup_by_uuid(self.connect, uuid).or_absent()
    }

    fn pool_note(&self, pool: &StoragePool) -> Result<Option<Note>, Failure> {
        let sealed = stamp::sealed_at(self.connect, &Place::Pool(pool.get_name()?))?;
        Ok(sealed.map(|sealed| sealed.note))
    }

    /// The pool of an operation, which has to be there and ours.
    fn own_pool(&self, operation: &Operation) -> Result<(StoragePool, Option<Note>), Failure> {
        let Some(pool) = self.pool(operation.identity.uuid)? else {
            return self.site.missing("pool", &operation.identity.name);
        };
        let note = self.pool_note(&pool)?;
        self.site.check_ours("pool", &pool.get_name()?, note.as_ref().map(|note| &note.stamp))?;
        Ok((pool, note))
    }

    fn adoptable_pool(
        &self,
        operation: &Operation,
    ) -> Result<(StoragePool, Option<Note>), Failure> {
        let Some(pool) = self.pool(operation.identity.uuid)? else {
            return self.site.missing("pool", &operation.identity.name);
        };
        let note = self.pool_note(&pool)?;
        self.site.check_adoptable(
            "pool",
            &pool.get_name()?,
            note.as_ref().map(|note| &note.stamp),
        )?;
        Ok((pool, note))
    }

    /// Makes a pool, or makes one of ours what it should be.
    fn create_pool(
        &self,
        operation: &Operation,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let identity = &operation.identity;
        let kept = attributes.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
        let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let note = Note::new(stamp, kept);
        let pool = match self.pool(identity.uuid)? {
            Some(pool) => {
                let old = self.pool_note(&pool)?;
                let idle = old.as_ref().is_some_and(|note| note.idle);
                let old = old.as_ref().map(|note| &note.stamp);
                self.site.check_ours("pool", &pool.get_name()?, old)?;
                check_same(&definition(&pool)?, attributes)?;
                let note = Note { idle, ..note };
                stamp::seal(self.connect, identity.uuid, &Place::Pool(pool.get_name()?), &note)?;
                if idle && !pool.get_autostart()? {
                    return Ok(());
                }
                pool
            }
            None => {
                self.check_pool_name(&identity.name)?;
                let wanted = write(&identity.name, identity.uuid, attributes)?;
                let place = Place::Pool(identity.name.to_string());
                // First, so that there is never a pool without its stamp.
                stamp::seal(self.connect, identity.uuid, &place, &note)?;
                match StoragePool::define_xml(self.connect, &wanted.write()?, 0) {
                    Ok(pool) => pool,
                    Err(error) => {
                        stamp::unseal(self.connect, &place)?;
                        return Err(error.into());
                    }
                }
            }
        };
        start(&pool)
    }

    fn check_pool_name(&self, name: &Name) -> Result<(), Failure> {
        let Some(other) = StoragePool::lookup_by_name(self.connect, name).or_absent()? else {
            return Ok(());
        };
        let note = self.pool_note(&other)?;
        self.site.taken("pool", name, note.as_ref().map(|note| &note.stamp))
    }

    fn delete_pool(&self, operation: &Operation) -> Result<(), Failure> {
        let identity = &operation.identity;
        let Some(pool) = self.pool(identity.uuid)? else {
            // It may have died between its pool and its stamp. By now the stamp at this place may be
            // that of another pool.
            let place = Place::Pool(identity.name.to_string());
            let left = stamp::sealed_at(self.connect, &place)?.map(|sealed| sealed.note.stamp);
            let is_own = left.is_some_and(|left| {
                left.address == operation.object.address
                    && self.site.check_ours("pool", &identity.name, Some(&left)).is_ok()
            });
            return if is_own { stamp::unseal(self.connect, &place) } else { Ok(()) };
        };
        let name = pool.get_name()?;
        self.own_pool(operation)?;
        if pool.is_active()? {
            for volume in pool.list_all_volumes(0)? {
                let volume = volume.get_name()?;
                let place = Place::Volume(name.clone(), volume.clone());
                if let Some(sealed) = stamp::sealed_at(self.connect, &place)? {
                    return Failure::refused(format!(
                        "pool {} holds {}, volume {}: it is not taken down",
                        quoted(&name),
                        sealed.note.stamp.address,
                        quoted(&volume)
                    ));
                }
            }
            pool.destroy()?;
        } else if let Some(sealed) = self.sealed_in(&name)? {
            return Failure::refused(format!(
                "pool {} does not run, and {} lies in it: start it (virsh pool-start {0}) and remove \
                 that first",
                quoted(&name),
                sealed.note.stamp.address
            ));
        }
        pool.undefine()?;
        stamp::unseal(self.connect, &Place::Pool(name))
    }
}

impl Call<'_> {
    /// A volume that is stamped as lying in a pool.
    fn sealed_in(&self, pool: &str) -> Result<Option<Sealed>, Failure> {
        for secret in self.connect.list_all_secrets(0)? {
            let sealed = stamp::read(&secret)?;
            let lies = |own: &Sealed| matches!(&own.place, Place::Volume(of, _) if of == pool);
            if let Some(sealed) = sealed.filter(lies) {
                return Ok(Some(sealed));
            }
        }
        Ok(None)
    }
}

/// Builds, starts, and lets it start with the host; what is done already is left.
fn start(pool: &StoragePool) -> Result<(), Failure> {
    if !pool.is_active()? {
        let kind = definition(pool)?.get("type").unwrap_or_default().to_owned();
        // For a volume group, building would make one out of disks.
        if kind == "dir" || kind == "netfs" {
            pool.build(0)?;
        }
        pool.create(VIR_STORAGE_POOL_CREATE_NORMAL)?;
    }
    if !pool.get_autostart()? {
        pool.set_autostart(true)?;
    }
    Ok(())
}

fn definition(pool: &StoragePool) -> Result<Element, Failure> {
    Ok(Element::parse(&pool.get_xml_desc(VIR_STORAGE_XML_INACTIVE)?)?)
}

/// A pool in libvirt's words.
fn write(name: &str, uuid: Uuid, attributes: &Fields) -> Result<Element, Failure> {
    let kind = attributes.text("type").unwrap_or_default();
    let word = TYPES.iter().find(|(own, _)| *own == kind).map(|(_, word)| *word);
    let Some(word) = word else {
        return Failure::refused(format!("there is no pool of type {}", quoted(kind)));
    };
    let path = attributes.text("path");
    let source = attributes.text("source").and_then(|text| PoolSource::parse(kind, text));
    let missing = |what: &str| Failure::refused(format!("a pool of type {kind} needs {what}"));
    let from = Element::new("source");
    let (from, target) = match kind {
        "dir" => match path {
            Some(path) => (None, Some(path.to_owned())),
            None => return missing("a path"),
        },
        "nfs" => {
            let Some(path) = path else { return missing("a path") };
            let Some(PoolSource::Export { server, directory }) = source else {
                return missing("a source such as \"server:/export\"");
            };
            let from = from
                .child(Element::new("host").attr("name", server))
                .child(Element::new("dir").attr("path", directory))
                .child(Element::new("format").attr("type", "nfs"));
            (Some(from), Some(path.to_owned()))
        }
        "lvm" => {
            let Some(PoolSource::Group(group)) = source else {
                return missing("the name of a volume group as its source");
            };
            let from = from
                .child(Element::new("name").text(group))
                .child(Element::new("format").attr("type", "lvm2"));
            (Some(from), Some(path.map_or_else(|| format!("/dev/{group}"), str::to_owned)))
        }
        _ => {
            let Some(PoolSource::Ceph { monitors, pool }) = source else {
                return missing("a source such as \"monitor-1,monitor-2:pool\"");
            };
            let hosts = monitors.split(',').map(|host| Element::new("host").attr("name", host));
            (Some(from.with(hosts).child(Element::new("name").text(pool))), None)
        }
    };
    if let Some(path) = &target
        && (!path.starts_with('/') || path.split('/').any(|part| part == ".."))
    {
        return Failure::refused(format!("the path of a pool is absolute, not {}", quoted(path)));
    }
    let target = target.map(|path| Element::new("target").child(Element::new("path").text(path)));
    Ok(Element::new("pool")
        .attr("type", word)
        .child(Element::new("name").text(name))
        .child(Element::new("uuid").text(uuid))
        .with(from)
        .with(target))
}

/// Our types of pool and libvirt's.
const TYPES: [(&str, &str); 4] =
    [("dir", "dir"), ("nfs", "netfs"), ("lvm", "logical"), ("rbd", "rbd")];

/// Where a pool is and what it is made of cannot change under the volumes in it.
fn check_same(definition: &Element, attributes: &Fields) -> Result<(), Failure> {
    let now = read(definition);
    for name in ["type", "path", "source"] {
        let asked = attributes.get(name).filter(|value| **value != Value::None);
        if asked != now.get(name) {
            return Failure::refused(format!("the {name} of a pool cannot change"));
        }
    }
    Ok(())
}

/// A pool's attributes.
fn read(definition: &Element) -> Fields {
    let mut fields = Fields::new();
    let kind = definition.get("type").unwrap_or_default();
    let Some((kind, _)) = TYPES.iter().find(|(_, word)| *word == kind) else { return fields };
    fields.insert("type", Value::text(kind));
    let path = definition.content_at("target/path");
    let text = |path: &str| definition.content_at(path).unwrap_or_default();
    let source = definition.find("source");
    let attribute = |element: &str, name: &str| {
        let element = source.and_then(|source| source.find(element));
        element.and_then(|element| element.get(name)).unwrap_or_default()
    };
    let from = match *kind {
        "nfs" => format!("{}:{}", attribute("host", "name"), attribute("dir", "path")),
        "lvm" => text("source/name"),
        "rbd" => {
            let hosts = source.map(|own| own.elements("host").filter_map(|host| host.get("name")));
            let hosts: Vec<&str> = hosts.into_iter().flatten().collect();
            format!("{}:{}", hosts.join(","), text("source/name"))
        }
        _ => String::new(),
    };
    if PoolSource::parse(kind, &from).is_some() {
        fields.insert("source", Value::text(&from));
    }
    // Where nothing else is said, a volume group is there.
    if *kind == "lvm" && path.as_deref() == Some(&format!("/dev/{from}")) {
        return fields;
    }
    if let Some(path) = path {
        fields.insert("path", Value::text(&path));
    }
    fields
}

/// What attributes cannot say, one thing each. How much a pool holds is not its definition.
fn kept(definition: &Element) -> Vec<String> {
    let mut kept = Kept::default();
    let kind = definition.get("type").unwrap_or_default();
    let Some((_, word)) = TYPES.iter().find(|(_, word)| *word == kind) else {
        kept.0.push(format!("type={kind}"));
        kept.rest("", definition, &["name", "uuid", "capacity", "allocation", "available"]);
        return kept.0;
    };
    let measured = ["name", "uuid", "capacity", "allocation", "available", "source", "target"];
    kept.rest("", definition, &measured);
    let said: &[&str] = match *word {
        "netfs" => &["host", "dir", "format"],
        "logical" => &["name", "format", "device"],
        "rbd" => &["host", "name"],
        _ => &[],
    };
    if let Some(source) = definition.find("source") {
        kept.rest("source ", source, said);
    }
    if let Some(target) = definition.find("target") {
        kept.rest("target ", target, &["path", "permissions"]);
        for own in target.find("permissions").into_iter().flat_map(Element::all) {
            let usual: &[&str] = match own.name.as_str() {
                "mode" => &["0711", "0755"],
                "owner" | "group" => &["0"],
                _ => &[],
            };
            if !usual.contains(&own.content().as_str()) {
                kept.add("target ", own);
            }
        }
    }
    kept.0
}

/// A pool as it is seen.
pub(crate) fn observed(
    definition: &Element,
    uuid: Uuid,
    note: Option<Note>,
    power: Power,
) -> ObservedObject {
    let mut attributes = read(definition);
    let is_to_run = note.as_ref().is_some_and(|note| power == Power::Waits || !note.idle);
    let (stamp, kept) = match note {
        Some(Note { stamp, kept, unfinished: _, idle: _ }) => (Some(stamp), kept),
        None => (None, Fields::new()),
    };
    if power != Power::Runs && is_to_run {
        attributes.insert(STOPPED, Value::Bool(true));
    }
    for (name, value) in kept.iter() {
        attributes.insert(name.clone(), value.clone());
    }
    ObservedObject {
        kind: shown_kind(stamp.as_ref(), "pool"),
        name: Name::from(definition.content_at("name").unwrap_or_default()),
        uuid: Some(uuid),
        stamp,
        attributes: attributes.compact().into(),
        pending: Fields::new().into(),
        written: None,
        running: None,
        kept: self::kept(definition),
        holds: Vec::new(),
        room: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn what_is_written_is_read_back() {
        for json in [
            r#"{"type":"dir","path":"/srv/fast"}"#,
            r#"{"type":"nfs","path":"/mnt/nfs","source":"nas.example:/export/vms"}"#,
            r#"{"type":"lvm","source":"vg0"}"#,
            r#"{"type":"lvm","source":"vg0","path":"/dev/other"}"#,
            r#"{"type":"rbd","source":"mon1,mon2:vms"}"#,
        ] {
            let written = write("a", Uuid::nil(), &fields(json)).expect(json);
            let text = written.write().expect(json);
            assert_eq!(read(&Element::parse(&text).expect(&text)), fields(json));
        }
    }

    #[test]
    fn what_attributes_cannot_say_is_told() {
        let told = |xml: &str| kept(&Element::parse(xml).expect(xml));
        let plain = "<pool type='dir'><name>default</name><uuid>u</uuid><capacity>1</capacity>
            <source></source><target><path>/srv</path><permissions><mode>0711</mode>
            <owner>0</owner><group>0</group></permissions></target></pool>";
        assert!(told(plain).is_empty(), "{:?}", told(plain));
        let disk =
            "<pool type='disk'><name>d</name><source><device path='/dev/sdb'/></source></pool>";
        assert_eq!(told(disk), ["type=disk", "source (device path=/dev/sdb)"]);
        let secret = "<pool type='rbd'><name>r</name><source><host name='m'/><name>vms</name>
            <auth type='ceph' username='u'><secret uuid='s'/></auth></source>
            <target><permissions><mode>0700</mode><owner>64055</owner></permissions></target></pool>";
        assert_eq!(
            told(secret),
            [
                "source auth type=ceph username=u (secret uuid=s)",
                "target mode 0700",
                "target owner 64055"
            ]
        );
    }

    #[test]
    fn what_a_host_could_misunderstand_is_refused() {
        for json in [
            r#"{"type":"dir"}"#,
            r#"{"type":"dir","path":"relative"}"#,
            r#"{"type":"dir","path":"/a/../etc"}"#,
            r#"{"type":"nfs","path":"/mnt","source":"nas"}"#,
            r#"{"type":"nfs","path":"/mnt","source":"-o:/x"}"#,
            r#"{"type":"lvm","source":"-vg"}"#,
            r#"{"type":"lvm","source":"a/b"}"#,
            r#"{"type":"rbd","source":"pool"}"#,
            r#"{"type":"iscsi"}"#,
        ] {
            assert!(write("a", Uuid::nil(), &fields(json)).is_err(), "{json}");
        }
    }
}
