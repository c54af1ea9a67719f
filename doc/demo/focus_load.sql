-- focus_load.sql: the FOCUS sample as a table, and the invoices that its charges make
--
-- Read by demo.sql. focus_sample.csv has the word NULL for nulls and times without a zone, hence
-- timestamp. The names of its columns are FOCUS's own; HEADER match checks them.

CREATE TABLE focus_sample (
    "AvailabilityZone" text, "BilledCost" numeric, "BillingAccountId" text, "BillingAccountName" text,
    "BillingCurrency" text, "BillingPeriodEnd" timestamp, "BillingPeriodStart" timestamp,
    "ChargeCategory" text, "ChargeClass" text, "ChargeDescription" text, "ChargeFrequency" text,
    "ChargePeriodEnd" timestamp, "ChargePeriodStart" timestamp, "CommitmentDiscountCategory" text,
    "CommitmentDiscountId" text, "CommitmentDiscountName" text, "CommitmentDiscountStatus" text,
    "CommitmentDiscountType" text, "ConsumedQuantity" numeric, "ConsumedUnit" text,
    "ContractedCost" numeric, "ContractedUnitPrice" numeric, "EffectiveCost" numeric,
    "InvoiceIssuerName" text, "ListCost" numeric, "ListUnitPrice" numeric, "PricingCategory" text,
    "PricingQuantity" numeric, "PricingUnit" text, "ProviderName" text, "PublisherName" text,
    "RegionId" text, "RegionName" text, "ResourceId" text, "ResourceName" text, "ResourceType" text,
    "ServiceCategory" text, "Id" bigint, "ServiceName" text, "SkuId" text, "SkuPriceId" text,
    "SubAccountId" text, "SubAccountName" text, "Tags" jsonb
);
\copy focus_sample FROM 'focus_sample.csv' WITH (FORMAT csv, HEADER match, NULL 'NULL')

-- the invoices that its charges make
CREATE VIEW focus_invoice AS SELECT * FROM po_invoices_from_focus('focus_sample');
