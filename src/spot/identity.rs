//! Which instance this is. Learned once, beside the polls; it also proves that the metadata service is that of the
//! configured cloud, since 404 alone looks like "all quiet" anywhere.

use crate::event::{Event, Field};
use crate::fetch::Answer;
use crate::json::{Scalar, pick};
use crate::spot::service::{
    BUSY, Document, Service, UNREAD, WRONG_CLOUD, Why, answers, excerpt, is_busy, item_name, text_of,
};

/// Bytes of one item.
const MAX_ITEM: usize = 64;

/// What is known of this instance; what is not known is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Instance id.
    pub instance: String,
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Instance type.
    pub instance_type: String,
    /// Private IPv4 address.
    pub address: String,
    /// Public IPv4 address.
    pub public: String,
    /// The name by which its cloud calls it, where events are told apart by it.
    pub name: String,
}

/// Items of an [`Identity`].
pub const ITEMS: usize = 7;

impl Identity {
    fn place(&mut self, at: usize) -> &mut String {
        match at {
            0 => &mut self.instance,
            1 => &mut self.region,
            2 => &mut self.zone,
            3 => &mut self.instance_type,
            4 => &mut self.address,
            5 => &mut self.public,
            _ => &mut self.name,
        }
    }

    fn item(&self, at: usize) -> &str {
        [&self.instance, &self.region, &self.zone, &self.instance_type, &self.address, &self.public, &self.name][at]
    }

    /// Adds what is known to `event`.
    pub fn facts(&self, event: Event) -> Event {
        event
            .with_text(Field::Instance, &self.instance)
            .with_text(Field::Region, &self.region)
            .with_text(Field::Zone, &self.zone)
            .with_text(Field::InstanceType, &self.instance_type)
            .with_text(Field::Address, &self.address)
            .with_text(Field::OtherAddress, &self.public)
    }

    /// In one line, for `status` and the log; empty if nothing is known.
    pub fn text(&self) -> String {
        let mut text = self.instance.clone();
        let mut mark = " (";
        for item in [&self.zone, &self.instance_type, &self.address] {
            if !item.is_empty() {
                text.push_str(mark);
                text.push_str(item);
                mark = ", ";
            }
        }
        if mark == ", " {
            text.push(')');
        }
        text
    }
}

/// Places among them.
const REGION: usize = 1;
const ZONE: usize = 2;

/// How far the identity has been learned. Asks nobody: it says what to ask next and hears the answer.
pub struct Learner {
    service: &'static Service,
    identity: Identity,
    step: Step,
    why: Option<Why>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Document,
    /// A place in [`Service::items`].
    Item(usize),
    Done,
}

impl Learner {
    /// Nothing is known yet.
    pub fn new(service: &'static Service) -> Learner {
        let mut learner = Learner { service, identity: Identity::default(), step: Step::Done, why: None };
        learner.start_over();
        learner
    }

    fn start_over(&mut self) {
        self.step = Step::Document;
        if self.service.document.is_none() {
            self.go_on(0);
        }
    }

    /// Goes to the first item from `from` on that is not known and can be asked for.
    fn go_on(&mut self, from: usize) {
        let asked = |at: &usize| !self.service.items[*at].is_empty() && self.identity.item(*at).is_empty();
        self.step = (from..ITEMS).find(asked).map_or(Step::Done, Step::Item);
    }

    /// What has been learned.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this certainly is the configured cloud.
    pub fn is_verified(&self) -> bool {
        !self.identity.instance.is_empty()
    }

    /// Why it is not certain, as far as that is known.
    pub fn why(&self) -> Why {
        let unread = || Why { text: UNREAD.to_owned(), hint: WRONG_CLOUD };
        self.why.clone().unwrap_or_else(unread)
    }

    /// The path to ask for next; `None` if everything is known.
    pub fn next(&self) -> Option<&'static str> {
        match self.step {
            Step::Document => self.service.document.as_ref().map(|document| document.path),
            Step::Item(at) => Some(self.service.items[at]),
            Step::Done => None,
        }
    }

    /// There was no answer: the same is asked again in the next cycle.
    pub fn unanswered(&mut self, why: Why) {
        self.why = Some(why);
    }

    /// Hears the answer to [`Learner::next`]. False if that is all for this cycle.
    pub fn hear(&mut self, answer: &Answer) -> bool {
        let good = answer.status == 200 && self.service.proves(answer);
        match self.step {
            Step::Document => {
                let document = self.service.document.as_ref().filter(|_| good);
                self.identity = document.and_then(|document| read(&answer.body, document)).unwrap_or_default();
                // Where the id stands nowhere else.
                if !self.is_verified() && self.service.items[0].is_empty() {
                    return self.fail(answer);
                }
                self.go_on(0);
            }
            Step::Item(_) if is_busy(answer.status) => {
                self.why = Some(Why { text: answers(self.item(), answer.status), hint: BUSY });
                return false;
            }
            Step::Item(at) => {
                let value = if good { item(text_of(&answer.body)) } else { String::new() };
                if at == 0 && !is_instance_id(&value) {
                    return self.fail(answer);
                }
                // A zone of Google is its region and a letter.
                if at == ZONE && self.service.items[REGION].is_empty() {
                    self.identity.region = value.rsplit_once('-').map_or("", |(region, _)| region).to_owned();
                }
                *self.identity.place(at) = value;
                self.go_on(at + 1);
            }
            Step::Done => {}
        }
        true
    }

    fn fail(&mut self, answer: &Answer) -> bool {
        self.why = Some(match answer.status {
            status if is_busy(status) => Why { text: answers(self.item(), status), hint: BUSY },
            _ => self.not_this_cloud(answer),
        });
        self.start_over();
        false
    }

    /// The last part of the path asked for.
    fn item(&self) -> &'static str {
        self.next().map(item_name).unwrap_or_default()
    }

    fn not_this_cloud(&self, answer: &Answer) -> Why {
        let cloud = self.service.cloud.name();
        let mut text = ["this does not look like ", cloud, ": ", self.item(), " answers "].concat();
        if answer.status != 200 {
            text.push_str(&answer.status.to_string());
        } else if let Some((name, _)) = self.service.proof.filter(|_| !self.service.proves(answer)) {
            text.push_str("without the header ");
            text.push_str(name);
        } else {
            text.push_str(&excerpt(&answer.body));
        }
        // It may be the right one, and keep its tokens from this program.
        let wants_token = self.service.token.is_some() && matches!(answer.status, 401 | 403);
        Why { text, hint: if wants_token { self.service.silence } else { WRONG_CLOUD } }
    }
}

fn read(body: &[u8], document: &Document) -> Option<Identity> {
    let mut identity = Identity::default();
    for (at, value) in pick(body, &document.keys)?.into_iter().enumerate() {
        if let Some(Scalar::Text(text)) = value {
            *identity.place(at) = item(&text);
        }
    }
    is_instance_id(&identity.instance).then_some(identity)
}

/// `text` if it can be an item: short, without spaces and control characters. Of a path as Google writes it, the last part.
fn item(text: &str) -> String {
    let text = if text.starts_with("projects/") { text.rsplit('/').next().unwrap_or_default() } else { text };
    if text.len() <= MAX_ITEM && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>')) {
        text.to_owned()
    } else {
        String::new()
    }
}

/// Ids look like `i-bp67acfmxazb4ph` and `4520031799277581759`; older ones differ, so the check is lenient. A bare word
/// is what something else answers to everything.
fn is_instance_id(text: &str) -> bool {
    (3..=MAX_ITEM).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && text.bytes().any(|b| !b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Cloud;
    use crate::run::threads::{HTTP_STACK, spawn};

    const WHOLE: &str = r#"{"zone-id":"cn-hangzhou-b","serial-number":"4a5b","instance-id":"i-bp67acfmxazb4ph",
        "region-id":"cn-hangzhou","private-ipv4":"10.0.0.7","owner-account-id":"1","mac":"00:16","image-id":"x",
        "instance-type":"ecs.g6.large"}"#;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    fn learn(cloud: Cloud, answers: &[(&str, u16, &str)]) -> Learner {
        let mut learner = Learner::new(Service::of(cloud));
        for (end, status, body) in answers {
            assert!(learner.next().unwrap().ends_with(end), "{end} is not {:?}", learner.next());
            learner.hear(&answer(*status, body));
        }
        learner
    }

    #[test]
    fn one_document_says_it_all() {
        let learner = learn(Cloud::AliCloud, &[("identity/document", 200, WHOLE), ("/eipv4", 200, "47.96.1.2")]);
        assert!(learner.is_verified() && learner.next().is_none());
        assert_eq!(learner.identity().text(), "i-bp67acfmxazb4ph (cn-hangzhou-b, ecs.g6.large, 10.0.0.7)");
        assert_eq!((&*learner.identity().region, &*learner.identity().public), ("cn-hangzhou", "47.96.1.2"));
    }

    #[test]
    fn without_a_document_the_items_are_read() {
        for (status, body) in [(404, ""), (200, "<html>"), (200, r#"{"instance-id":"<b>"}"#), (200, "{}"), (403, "")] {
            let learner = learn(
                Cloud::AliCloud,
                &[
                    ("document", status, body),
                    ("/instance-id", 200, "i-abc\n"),
                    ("/region-id", 200, "cn-hangzhou"),
                    ("/zone-id", 404, "<html>no such item</html>"),
                    ("/instance-type", 200, "<html>"),
                    ("/private-ipv4", 200, "10.0.0.7"),
                    ("/eipv4", 404, ""),
                ],
            );
            assert!(learner.next().is_none());
            assert_eq!(learner.identity().text(), "i-abc (10.0.0.7)");
        }
    }

    /// A whole document of each cloud that has one, and what is left to ask.
    #[test]
    fn documents_of_all_clouds() {
        let aws = r#"{"accountId":"1","architecture":"x86_64","availabilityZone":"us-east-1a","billingProducts":null,
            "devpayProductCodes":null,"imageId":"ami-1","instanceId":"i-0abc","instanceType":"c7g.large",
            "pendingTime":"2026-05-01T00:00:00Z","privateIp":"172.31.0.9","region":"us-east-1","version":"2017-09-30"}"#;
        let azure = r#"{"compute":{"evictionPolicy":"Deallocate","location":"westeurope","name":"myvmss_3","priority":"Spot",
            "vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmSize":"Standard_A1","zone":"1","tagsList":[{"name":"a","value":"b"}]},
            "network":{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.0.0.4","publicIpAddress":"20.1.2.3"}],
            "subnet":[{"address":"10.0.0.0","prefix":"24"}]},"macAddress":"000D3A"}]}}"#;
        let huawei = r#"{"uuid":"d8e02d56-2648-49a3-bf97-6be8f1204f38","availability_zone":"cn-north-4a","region_id":"cn-north-4",
            "hostname":"x.novalocal","meta":{"a":"b"},"instance_type":"s6.large.2","random_seed":"x"}"#;
        for (cloud, body, text, name, next) in [
            (Cloud::Aws, aws, "i-0abc (us-east-1a, c7g.large, 172.31.0.9)", "", Some("/latest/meta-data/public-ipv4")),
            (Cloud::Azure, azure, "02aab8a4-74ef-476e-8182-f6d2ba4166a6 (1, Standard_A1, 10.0.0.4)", "myvmss_3", None),
            (
                Cloud::HuaweiCloud,
                huawei,
                "d8e02d56-2648-49a3-bf97-6be8f1204f38 (cn-north-4a, s6.large.2)",
                "",
                Some("/latest/meta-data/local-ipv4"),
            ),
        ] {
            let mut learner = Learner::new(Service::of(cloud));
            assert!(learner.hear(&answer(200, body)));
            assert_eq!((learner.identity().text().as_str(), learner.identity().name.as_str()), (text, name));
            assert_eq!(learner.next(), next);
        }
    }

    #[test]
    fn google_is_known_by_its_header() {
        let mut learner = Learner::new(Service::of(Cloud::GoogleCloud));
        assert!(!learner.hear(&answer(200, "4520031799277581759")));
        assert!(
            learner.why().text.ends_with("id answers without the header metadata-flavor"),
            "{}",
            learner.why().text
        );
        let headers = vec![("metadata-flavor".to_owned(), "Google".to_owned())];
        for (end, body) in [
            ("/id", "4520031799277581759"),
            ("/zone", "projects/123/zones/us-central1-a"),
            ("/machine-type", "projects/123/machineTypes/e2-small"),
            ("/0/ip", "10.128.0.2"),
            ("/external-ip", "34.1.2.3"),
        ] {
            assert!(learner.next().unwrap().ends_with(end));
            assert!(learner.hear(&Answer { status: 200, headers: headers.clone(), body: body.into() }));
        }
        assert_eq!(learner.next(), None);
        assert_eq!(learner.identity().text(), "4520031799277581759 (us-central1-a, e2-small, 10.128.0.2)");
        assert_eq!((&*learner.identity().region, &*learner.identity().public), ("us-central1", "34.1.2.3"));
    }

    #[test]
    fn huawei_without_its_document_is_not_huawei() {
        let mut learner = Learner::new(Service::of(Cloud::HuaweiCloud));
        assert!(!learner.hear(&answer(404, "")) && !learner.is_verified());
        assert!(learner.why().text.ends_with("meta_data.json answers 404"), "{}", learner.why().text);
    }

    #[test]
    fn a_service_with_trouble_is_no_other_cloud() {
        for (cloud, status) in [(Cloud::HuaweiCloud, 503), (Cloud::HuaweiCloud, 429), (Cloud::TencentCloud, 500)] {
            let mut learner = Learner::new(Service::of(cloud));
            assert!(!learner.hear(&answer(status, "")) && !learner.is_verified());
            let why = learner.why();
            assert!(!why.text.contains("look like") && why.hint == BUSY, "{why:?}");
        }
    }

    #[test]
    fn another_cloud_is_said() {
        for (status, body, end) in [
            (404, "", "instance-id answers 404"),
            (403, "i-abc", "instance-id answers 403"),
            (200, "", "instance-id answers \"\""),
            (200, "TRUE", "instance-id answers \"TRUE\""),
            (200, "<html><body>Log in</body></html>", "answers \"<html><body>Log in</body></html>\""),
        ] {
            let learner = learn(Cloud::AliCloud, &[("document", 404, ""), ("/instance-id", status, body)]);
            assert!(!learner.is_verified());
            assert!(learner.why().text.starts_with("this does not look like AliCloud: "), "{}", learner.why().text);
            assert!(learner.why().text.ends_with(end), "{}", learner.why().text);
            assert!(learner.next().unwrap().ends_with("document"), "it starts over");
        }
    }

    #[test]
    fn a_fault_is_asked_again() {
        let mut learner = learn(Cloud::TencentCloud, &[("/instance-id", 200, "ins-a1b2c3d4")]);
        assert!(learner.is_verified());
        assert!(!learner.hear(&answer(503, "")));
        assert!(learner.next().unwrap().ends_with("/placement/region"));
        assert!(learner.hear(&answer(200, "ap-guangzhou")));
        assert_eq!(learner.identity().region, "ap-guangzhou");
    }

    #[test]
    fn deep_json_fits_the_stack() {
        let deep = format!("{{\"x\":{}", "[".repeat(60_000));
        let document = Service::of(Cloud::AliCloud).document.as_ref().unwrap();
        let thread = spawn("deep", HTTP_STACK, move || read(deep.as_bytes(), document));
        assert_eq!(thread.unwrap().join().unwrap(), None);
    }
}
