//! Which cloud this machine is in, by what its firmware says of itself. Nobody is asked over the network: addresses of
//! metadata services are shared by several clouds, and those in 100.64.0.0/10 may belong to somebody else.
//!
//! Sources: cloud-init's `tools/ds-identify`; for Tencent Cloud and Volcengine what their machines are known to show.

use std::path::Path;

use crate::config::plan::Cloud;

/// Where Linux shows what the firmware says.
pub const DMI: &str = "/sys/class/dmi/id";
/// Bytes of one item.
const MAX_ITEM: usize = 128;

/// Item, what it begins with, and whose machines say so.
const SIGNS: [(&str, &str, Cloud); 17] = [
    ("product_name", "Alibaba Cloud ECS", Cloud::AliCloud),
    ("sys_vendor", "Alibaba Cloud", Cloud::AliCloud),
    ("sys_vendor", "Tencent Cloud", Cloud::TencentCloud),
    ("chassis_vendor", "Tencent Cloud", Cloud::TencentCloud),
    ("sys_vendor", "Amazon EC2", Cloud::Aws),
    ("chassis_asset_tag", "Amazon EC2", Cloud::Aws),
    ("bios_version", "4.2.amazon", Cloud::Aws),
    ("bios_version", "4.11.amazon", Cloud::Aws),
    ("product_uuid", "ec2", Cloud::Aws),
    ("product_name", "Google Compute Engine", Cloud::GoogleCloud),
    ("product_serial", "GoogleCloud-", Cloud::GoogleCloud),
    ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", Cloud::Azure),
    ("chassis_asset_tag", "HUAWEICLOUD", Cloud::HuaweiCloud),
    ("sys_vendor", "Huawei Cloud", Cloud::HuaweiCloud),
    ("sys_vendor", "Volcengine", Cloud::Volcengine),
    ("product_name", "Volcengine", Cloud::Volcengine),
    ("sys_vendor", "ByteDance", Cloud::Volcengine),
];

/// The cloud that the items in `folder` name, if it is one of those known here.
pub fn cloud(folder: &Path) -> Option<Cloud> {
    let says = |(item, begins, _): &&(&str, &str, Cloud)| {
        let read = std::fs::read(folder.join(item)).unwrap_or_default();
        let read = &read[..read.len().min(MAX_ITEM)];
        read.get(..begins.len()).is_some_and(|start| start.eq_ignore_ascii_case(begins.as_bytes()))
    };
    SIGNS.iter().find(says).map(|(_, _, cloud)| *cloud)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_told_apart_by_their_firmware() {
        let folder = std::env::temp_dir().join(format!("ic-dmi-{}", std::process::id()));
        for (items, want) in [
            (vec![], None),
            (vec![("sys_vendor", "QEMU\n"), ("product_name", "Standard PC (Q35 + ICH9, 2009)\n")], None),
            (vec![("sys_vendor", "Alibaba Cloud\n"), ("product_name", "Alibaba Cloud ECS\n")], Some(Cloud::AliCloud)),
            (vec![("sys_vendor", "Tencent Cloud\n"), ("product_name", "CVM\n")], Some(Cloud::TencentCloud)),
            (vec![("sys_vendor", "Amazon EC2\n"), ("product_name", "c7g.large\n")], Some(Cloud::Aws)),
            (vec![("sys_vendor", "Xen\n"), ("bios_version", "4.11.amazon\n")], Some(Cloud::Aws)),
            (vec![("product_uuid", "EC2AE145-D1DC-13B2-94ED-012345ABCDEF\n")], Some(Cloud::Aws)),
            (vec![("product_name", "Google Compute Engine\n")], Some(Cloud::GoogleCloud)),
            (vec![("sys_vendor", "Microsoft Corporation\n"), ("product_name", "Virtual Machine\n")], None),
            (vec![("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n")], Some(Cloud::Azure)),
            (vec![("chassis_asset_tag", "HUAWEICLOUD\n")], Some(Cloud::HuaweiCloud)),
            (vec![("sys_vendor", "Volcengine\n")], Some(Cloud::Volcengine)),
            (vec![("chassis_asset_tag", "OracleCloud.com\n")], None),
        ] {
            drop(std::fs::remove_dir_all(&folder));
            std::fs::create_dir_all(&folder).unwrap();
            for (item, text) in &items {
                std::fs::write(folder.join(item), text).unwrap();
            }
            assert_eq!(cloud(&folder), want, "{items:?}");
        }
        drop(std::fs::remove_dir_all(&folder));
    }
}
